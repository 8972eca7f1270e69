"""Names, addresses and errors that clients chose, in the output of commands: nothing of them is run by the terminal."""

import io
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.commands import imports
from catalog.stack.errors import StackError
from catalog.stack.logs import Follower
from catalog.stack.places import Places
from catalog.terminal import print_table, visible, visible_lines

HOSTILE = "[/x][red] \x1b]0;owned\x07 \x1b[2J\x9b1m\u202eevil\r\nsecond"
SHOWN = r"[/x][red] \x1b]0;owned\x07 \x1b[2J\x9b1m\u202eevil\r\nsecond"


def harmless(text: str) -> bool:
    return not [sign for sign in text if category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in "\n\t"]


@given(st.text())
def test_no_control_character_is_left_and_other_text_is_as_it_was(text):
    assert harmless(visible(text))
    assert "\n" not in visible(text)
    assert visible_lines(text).count("\n") == text.count("\n")
    plain = "".join(sign for sign in text if harmless(sign) and sign not in "\n\t")
    assert visible(plain) == plain


def test_a_table_shows_markup_and_control_characters_as_text(capsys):
    print_table(("name", "count"), [(HOSTILE, 5)])
    shown = capsys.readouterr().out
    assert SHOWN in shown
    assert harmless(shown)


@pytest.fixture
def run(committed):
    with committed.app_context():
        yield lambda *arguments: committed.test_cli_runner().invoke(args=arguments)


def test_keys_are_listed_with_any_name(run, committed):
    made = committed.test_client().post("/api/v1/keys", json={"name": HOSTILE.replace("\n", ""), "scopes": ["tasks"]})
    assert made.status_code in (201, 400)
    listed = run("keys", "list")
    assert (listed.exit_code, listed.exception) == (0, None)
    assert harmless(listed.output)
    assert made.status_code == 400 or "[/x][red]" in listed.output


def test_webhooks_are_listed_with_any_address(run, committed):
    body = {"url": "http://127.0.0.1:9/[/x]", "events": ["webhook.disabled"]}
    made = committed.test_client().post("/api/v1/webhooks", json=body)
    assert made.status_code == 201, made.json
    listed = run("webhooks", "list")
    assert (listed.exit_code, listed.exception) == (0, None)
    assert "/[/x]" in listed.output


class Rejecting:
    """The service as `import` sees it, with an error that the file's author chose."""

    url = "http://127.0.0.1:5000"

    def details(self, _task: str) -> dict:
        return {}

    def rejected(self, _task: str) -> list:
        return [{"row": 2, "error": f"price: {HOSTILE}"}]


def test_rejected_rows_are_printed_on_a_line_of_their_own(capsys):
    imports._report(Rejecting(), "7", {"state": "Failed", "error": HOSTILE})
    shown = capsys.readouterr()
    assert SHOWN in shown.out
    assert SHOWN in shown.err
    assert harmless(shown.out + shown.err)


def test_an_error_from_the_service_is_shown_and_not_run(monkeypatch):
    from click.testing import CliRunner

    from catalog.cli import main

    def refused(*_: object, **__: object) -> None:
        raise StackError(HOSTILE)

    monkeypatch.setattr("catalog.commands.service.Project", refused)
    said = CliRunner().invoke(main, ["status"])
    assert said.exit_code == 1
    assert r"\x1b[2J" in said.output
    assert harmless(said.output)


def test_a_log_line_is_shown_and_not_run(tmp_path):
    places = Places(tmp_path)
    places.logs.mkdir()
    (places.logs / "web.log").write_text(HOSTILE.replace("\r\n", " ") + "\n")
    follower = Follower(places)
    follower.output = io.StringIO()
    for _ in range(2):
        follower.show()
    for file, _ in follower.files.values():
        file.close()
    assert r"\x1b[2J" in follower.output.getvalue()
    assert harmless(follower.output.getvalue())
