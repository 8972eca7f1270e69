"""The API document is valid, complete, and shows an example of everything. Failures say what to add, and where."""

import os
import re

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from catalog.app import create_app

METHODS = ("get", "post", "put", "patch", "delete")
PAGES = {"api-docs", "api_docs", "short_docs"}  # for browsers, not part of the API, like the console
WITHOUT_SERVERS = {"health"}


def read_document():
    """Return the document; making it needs no server."""
    named = ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL")
    with pytest.MonkeyPatch.context() as patch:
        for name in named:
            patch.setenv(name, os.environ.get(name, "redis://localhost/0"))
        return create_app().test_client().get("/api/openapi.json").json


DOCUMENT = read_document()
OPERATIONS = {
    f"{method.upper()} {path}": {
        **item[method],
        "parameters": item.get("parameters", []) + item[method].get("parameters", []),
    }
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
}  # fmt: skip
every_operation = pytest.mark.parametrize("name", OPERATIONS)


def resolved(part):
    """Follow a reference within the document."""
    while "$ref" in part:
        found = DOCUMENT
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        part = found
    return part


def answers(name):
    return {int(status): resolved(answer) for status, answer in OPERATIONS[name]["responses"].items()}


def fits(schema, example):
    """Return what is wrong with an example, as text."""
    whole = {**schema, "components": DOCUMENT["components"]}
    found = jsonschema_rs.validator_for(whole, validate_formats=True).iter_errors(example)
    return "; ".join(f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in found)


def example_of(content):
    """Return the example of one kind of content, the first where there are several."""
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    return content.get("example")


def test_the_document_is_valid_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


def test_every_route_is_documented(app):
    for rule in app.url_map.iter_rules():
        if (
            rule.rule.startswith("/console")
            or rule.endpoint.split(".")[0] in PAGES
            or rule.endpoint.split(".")[-1] == "static"
        ):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert f"{method} {path}" in OPERATIONS, "let its blueprint be a catalog.http.Blueprint"


@every_operation
def test_an_operation_has_a_summary_and_a_description(name):
    operation = OPERATIONS[name]
    assert operation.get("summary"), f"{name}: give the view a docstring: its first line is the summary"
    assert operation.get("description"), f"{name}: say more after an empty line of the view's docstring"


@every_operation
def test_an_operation_shows_an_example_of_its_body(name):
    body = OPERATIONS[name].get("requestBody", {"content": {}})
    for kind, content in body["content"].items():
        example = example_of(content)
        assert example is not None, f"{name}: no example of {kind}: give arguments(example=…)"
        if kind == "application/json":
            problem = fits(content["schema"], example)
            assert not problem, f"{name}: {problem}: mend metadata={{'example': …}} in {content['schema']}"


@every_operation
def test_an_operation_shows_an_example_of_its_answer(name):
    succeeding = [answer for status, answer in answers(name).items() if 200 <= status < 300]
    assert succeeding, f"{name}: document its success with response(…)"
    for content in [content for answer in succeeding for content in answer.get("content", {}).values()]:
        example, schema = example_of(content), resolved(content["schema"])
        assert example is not None, f"{name}: no example: give response(example=…)"
        if isinstance(example, dict) and not name.endswith("/graphql"):  # which answers data or errors
            shown = {each for each, part in schema.get("properties", {}).items() if not part.get("writeOnly")}
            absent = shown - set(example)
            assert not absent, f"{name}: no example of {absent} in {content['schema']}: add metadata={{'example': …}}"
        assert not fits(content["schema"], example), f"{name}: {fits(content['schema'], example)}"


@every_operation
def test_an_operation_lists_the_errors_that_it_can_end_with(name):
    operation, listed = OPERATIONS[name], set(answers(name))
    body = operation.get("requestBody")
    expected = set() if set(operation["tags"]) & WITHOUT_SERVERS else {503}
    expected |= {400, 413, 415} if body else set()
    expected |= {400} if any(each["in"] == "query" for each in operation["parameters"]) else set()
    expected |= {404} if any(each["in"] == "path" for each in operation["parameters"]) else set()
    assert listed >= expected, f"{name}: add problem({expected - listed}, 'why')"
    assert "default" not in operation["responses"], f"{name}: a default answer would allow any error"


@every_operation
def test_errors_are_problems(name):
    if set(OPERATIONS[name]["tags"]) & WITHOUT_SERVERS:
        return  # /health answers its report, whatever it says
    for status, answer in answers(name).items():
        if status >= 400:
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, f"{name}: use problem({status}, …)"
            assert not fits(content["schema"], content["example"])
            assert content["example"]["status"] == status


@every_operation
def test_headers_that_make_a_request_conditional_are_documented(name):
    given = {each["name"] for each in OPERATIONS[name]["parameters"]}
    for status, header in ((304, "If-None-Match"), (412, "If-Match")):
        assert (status in answers(name)) == (header in given), f"{name}: {header} goes with {status}"


@every_operation
def test_every_parameter_of_a_path_has_an_example(name):
    for each in OPERATIONS[name]["parameters"]:
        if each["in"] == "path":
            assert "example" in each["schema"], f"{name}: {each['name']}: register its converter in catalog/openapi.py"
