"""What holds for all templates: nothing that changes something can be clicked twice, and what removes asks first."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import catalog

FOLDER = Path(catalog.__file__).parent / "console" / "templates" / "console"
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
REMOVES = {"delete", "discard", "give_up", "forget_mapping", "cancel", "requeue", "rotate"}


class Tags(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(dict(attrs))


def changing() -> Iterator[tuple[str, str, dict[str, str | None]]]:
    """Yield the template, the endpoint and the attributes of every tag that sends a change."""
    for path in sorted(FOLDER.glob("*.html")):
        source = re.sub(r'hx-post="\{\{.*?url_for\(.([a-z_.]+).*?\}\}"', r'hx-post="\1"', path.read_text())
        tags = Tags()
        tags.feed(JINJA.sub("", source))
        for attributes in tags.found:
            if "hx-post" in attributes:
                yield path.name, str(attributes["hx-post"]), attributes


CHANGES = list(changing())


def test_there_are_changes_to_look_at():
    assert len(CHANGES) > 25
    assert {endpoint.split(".")[1] for _, endpoint, _ in CHANGES} >= REMOVES


@pytest.mark.parametrize(("template", "endpoint", "attributes"), CHANGES, ids=[f"{one[0]}-{one[1]}" for one in CHANGES])
def test_what_changes_something_cannot_be_clicked_twice(template, endpoint, attributes):
    if endpoint == "console_imports.preview":  # which changes nothing
        return
    assert attributes.get("hx-disabled-elt"), f"{template}: {endpoint}"


@pytest.mark.parametrize(("template", "endpoint", "attributes"), CHANGES, ids=[f"{one[0]}-{one[1]}" for one in CHANGES])
def test_what_removes_something_asks_first(template, endpoint, attributes):
    if endpoint.split(".")[1] in REMOVES:
        assert attributes.get("hx-confirm"), f"{template}: {endpoint}"
