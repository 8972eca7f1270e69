"""Promise: no call of a transform takes longer than its texts are long, or it is refused."""

import time
from itertools import pairwise
from typing import Any

import pytest

from catalog.errors import ValidationFailed
from catalog.transforms import registry as module
from catalog.transforms import service
from catalog.transforms.arguments import MAX_CHARACTERS
from catalog.transforms.registry import Registry

SIZES = (8_192, 32_768, MAX_CHARACTERS)
FLOOR_SECONDS = 0.02  # below it, times are not compared
TEXTS = ["a", " ", "<", "<a ", "<!--", "&", "&#9", "a'", "Σ.", "ß", "\u0344", "\u0301\u0327", "é", "9", "1,", "-\u2014"]


def half(first: str, second: str, size: int) -> str:
    return first * (size // 2 // len(first)) + second * (size // 2 // len(second))


# For each transform, the arguments of a call of about so many characters that is as slow as it can be.
WORST = {
    "add": lambda n: ["9" * 30, "0." + "9" * 30],
    "subtract": lambda n: ["9" * 30, "-0." + "9" * 30],
    "multiply": lambda n: ["0." + "9" * 30, "9" * 30],
    "divide": lambda n: ["9" * 30, "0." + "0" * 29 + "7"],
    "round_to": lambda n: ["0." + "9" * 30, 30],
    "to_lowercase": lambda n: [half("Σ", ".", n)],
    "to_uppercase": lambda n: ["\u0390" * (n // 3)],
    "title_case": lambda n: ["a'" * (n // 2)],
    "strip": lambda n: ["\u0163" * n, "\u0263" * (n - 1) + "\u0163"],
    "collapse_spaces": lambda n: ["a " * (n // 2)],
    "replace": lambda n: ["a" * n, "a" * (n // 4) + "b" + "a" * (n // 4), ""],
    "regex_extract": lambda n: ["é" * n, "(?:.?){1000}(?:.?){900}b"],
    "truncate": lambda n: [" " * n, n - 1, ""],
    "slugify": lambda n: ["a" + half("\u0301", "\u0327", n - 1)],
    "strip_html": lambda n: ["<a '\">" * (n // 6)],
    "parse_number": lambda n: ["1" + ",234" * (n // 4)],
    "parse_bool": lambda n: ["y" * n],
    "parse_currency": lambda n: ["EUR " * (n // 4)],
    "convert_unit": lambda n: ["1", "k" * n, "g" * n],
    "default_if_empty": lambda n: [" " * n, "x" * n],
    "concat": lambda n: ["a" * (n // 8)] * 7,
    "split_take": lambda n: ["a" * n, "a" * (n // 4) + "b", 2],
    "map_values": lambda n: ["x", {str(place): "y" for place in range(n // 8)}, "z"],
}


def seconds(name: str, arguments: list) -> float | None:
    """Return how long a call computes, or None where it is refused for its work."""
    taken = []
    for _ in range(3):
        began = time.thread_time()
        try:
            service.call(name, arguments)
        except service.TransformFailed as error:
            if "too long together" in error.detail:
                return None
        except ValidationFailed:
            pass
        taken.append(time.thread_time() - began)
    return min(taken)


def check_growth(name: str, arguments) -> None:
    """Fail where four times the text takes much more than four times as long: 16 times would be quadratic."""
    times = [found for size in SIZES if (found := seconds(name, arguments(size))) is not None]
    for shorter, longer in pairwise(times):
        assert longer < max(FLOOR_SECONDS, 10 * shorter), (name, times)


def test_every_transform_has_its_worst_input():
    ours = {transform.name for transform in service.listing() if transform.function.__module__.startswith("catalog.")}
    assert ours == WORST.keys()
    assert len(ours) == 23


@pytest.mark.parametrize("name", WORST)
def test_the_worst_call_of_a_transform_grows_as_its_texts_do_or_is_refused(name):
    check_growth(name, WORST[name])


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("piece", TEXTS)
def test_hostile_texts_in_every_argument_grow_as_they_do_or_are_refused(name, piece):
    arguments = service.get(name).arguments
    check_growth(name, lambda size: [piece * (size // len(piece)) for argument in arguments])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("strip", ["x" * MAX_CHARACTERS, "abc"]),
        ("strip", [" " * MAX_CHARACTERS]),
        ("regex_extract", ["x" * MAX_CHARACTERS, r"[0-9]+ ?(?:cm|mm|kg)\b"]),
        ("regex_extract", ["Größe: XL" * 100, r"(?i)\pL{1,30}: (\pL+)"]),
        ("slugify", ["Größe und Farbe " * 400]),
    ],
)
def test_an_honest_call_is_within_the_budget(name, arguments):
    assert isinstance(service.call(name, arguments), str)


@pytest.mark.parametrize("name", ["strip", "regex_extract", "slugify"])
def test_a_step_of_a_mapping_has_the_same_budget(name):
    arguments: Any = WORST[name](MAX_CHARACTERS // 2)
    with pytest.raises(service.TransformFailed, match="too long together"):
        service.Step(name, arguments[1:]).apply(arguments[0])


TOO_MUCH = {"text": "x" * (MAX_CHARACTERS + 1), "list": ["x"] * MAX_CHARACTERS, "number": 10**5_000}


@pytest.mark.parametrize("result", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_a_package_returns_is_bounded_too(monkeypatch, result):
    ours = Registry()

    @ours.register()
    def blow_up(text: str) -> str:
        """Return too much."""
        return result

    monkeypatch.setattr(service, "registry", lambda: ours)
    with pytest.raises(service.TransformFailed):
        service.call("blow_up", ["x"])
    with pytest.raises(service.TransformFailed):
        service.through(service.steps(["blow_up"]), "x")


def test_whatever_a_packages_function_raises_over_rest_is_a_400(client, monkeypatch):
    ours = Registry()

    @ours.register()
    def broken(text: str) -> str:
        """Fail."""
        return {}[text]

    monkeypatch.setattr(module, "_registry", ours)
    answer = client.post("/api/v1/transforms/broken", json={"arguments": ["x"]})
    assert (answer.status_code, answer.json["code"]) == (400, "transform_failed")
