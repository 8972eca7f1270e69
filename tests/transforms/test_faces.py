"""The verb and the API."""

import pytest
from click.testing import CliRunner

from catalog.cli import main

URL = "/api/v1/transforms"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["transform", *arguments])
    return done.exit_code, done.output.strip()


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["add", "5", "7"], "12"),
        (["to_lowercase", "HOLA"], "hola"),
        (["add", "-5", "7"], "2"),
        (["add", "0.1", "0.2"], "0.3"),
        (["parse_bool", "ja"], "true"),
    ],
)
def test_the_verb_prints_what_comes_of_a_transform(arguments, output):
    assert run(*arguments) == (0, output)


def test_the_verb_lists_name_signature_and_one_line():
    code, output = run("--list")
    line = next(line for line in output.splitlines() if line.startswith("add"))
    assert (code, line.split("  ")[0], line.split("  ")[-1].strip()) == (
        0,
        "add(number: number, other: number)",
        "Add two numbers.",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "There is no transform `nope`."),
        (["add", "1"], "other: Missing argument."),
        (["add", "1", "x"], "other: Must be a number"),
        (["divide", "1", "0"], "divide: Cannot divide by zero."),
        ([], "Name a transform"),
    ],
)
def test_the_verb_says_what_is_wrong_and_fails(arguments, message):
    code, output = run(*arguments)
    assert code != 0
    assert message in output


def test_the_api_lists_the_transforms(client):
    listed = client.get(URL).json
    assert listed["total"] == len(listed["items"]) >= 23
    assert next(item for item in listed["items"] if item["name"] == "truncate") == {
        "name": "truncate",
        "signature": 'truncate(text: text, length: whole number, ending: text = "")',
        "summary": "Cut to at most so many characters, the ending counted.",
        "arguments": [
            {"name": "text", "kind": "text", "required": True, "many": False},
            {"name": "length", "kind": "whole number", "required": True, "many": False},
            {"name": "ending", "kind": "text", "required": False, "many": False},
        ],
    }


@pytest.mark.parametrize(
    ("name", "arguments", "result", "text"),
    [
        ("add", [5, 7], 12, "12"),
        ("add", [0.1, 0.2], 0.3, "0.3"),
        ("add", {"number": "5", "other": 7}, 12, "12"),
        ("to_lowercase", ["HOLA"], "hola", "hola"),
        ("parse_bool", ["ja"], True, "true"),
        ("concat", {"text": "a", "others": ["b", "c"]}, "abc", "abc"),
    ],
)
def test_the_api_applies_a_transform(client, name, arguments, result, text):
    answer = client.post(f"{URL}/{name}", json={"arguments": arguments})
    assert (answer.status_code, answer.json) == (200, {"name": name, "result": result, "text": text})


@pytest.mark.parametrize(
    ("name", "body", "status", "code", "field"),
    [
        ("nope", {"arguments": []}, 404, "not_found", None),
        ("add", {"arguments": [1]}, 400, "validation_error", "other"),
        ("add", {"arguments": ["x", 1]}, 400, "validation_error", "number"),
        ("add", {"arguments": {"number": 1, "other": 2, "b": 3}}, 400, "validation_error", "b"),
        ("add", {"arguments": 7}, 400, "validation_error", "arguments"),
        ("add", {}, 400, "validation_error", "arguments"),
        ("divide", {"arguments": [1, 0]}, 400, "transform_failed", "divide"),
    ],
)
def test_the_api_answers_a_problem_that_names_the_field(client, name, body, status, code, field):
    answer = client.post(f"{URL}/{name}", json=body)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert field is None or answer.json["errors"][0]["field"] == field
    assert answer.content_type == "application/problem+json"
