"""'Try it out' works: each operation's own example, sent as the document tells, is taken."""

import io
from dataclasses import replace

import pytest

from catalog.imports import watching
from tests.test_openapi import OPERATIONS, example_of, fits, resolved

# What makes the thing that a parameter of a path names; without it the id of the example is sent, and not found.
MADE_BY = {
    "product_id": "POST /api/v1/products",
    "task_id": "POST /api/v1/tasks",
    "webhook_id": "POST /api/v1/webhooks",
    "replay_id": "POST /api/v1/webhooks/{webhook_id}/replay",
    "import_id": "POST /api/v1/products/upload",
    "deletion_id": "DELETE /api/v1/products/all",
    "job_id": "POST /api/v1/jobs/test",
    "order_id": "POST /api/v1/orders",
    "key_id": "POST /api/v1/keys",
}
NOT_TAKEN = {400, 405, 406, 413, 415, 422}


def send(client, name):
    """Send an operation's example; the things that it needs are made first, by examples too."""
    operation, (method, path) = OPERATIONS[name], name.split(" ")
    for each in operation["parameters"]:
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", str(made(client, each)))
    query = {
        each["name"]: each["schema"]["example"]
        for each in operation["parameters"]
        if each["in"] == "query" and "example" in each["schema"]
    }
    return client.open(
        path, method=method, query_string=query, headers={"Accept": "application/json"}, **body(operation)
    )


def made(client, parameter):
    if parameter["name"] not in MADE_BY:
        return parameter["schema"]["example"]
    answer = send(client, MADE_BY[parameter["name"]]).json
    return answer.get("id") or answer["task_id"]


def body(operation):
    """Return the example body as the test client takes it."""
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        example = example_of(content)
        if kind == "application/json":
            return {"json": example}
        return {"data": {**example, "file": (io.BytesIO(example["file"].encode()), "example.csv")}}
    return {}


@pytest.fixture
def client(committed, monkeypatch):
    """A client whose changes are committed, as streams have connections of their own; and they end at once."""
    monkeypatch.setattr(watching, "PACE", replace(watching.PACE, stream_seconds=0))
    return committed.test_client()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_example_is_taken_and_answered_as_documented(client, name):
    answer = send(client, name)
    assert answer.status_code not in NOT_TAKEN, f"{name}: {answer.text}: mend the example"
    documented = OPERATIONS[name]["responses"]
    assert str(answer.status_code) in documented, f"{name}: {answer.status_code} is not documented: {answer.text}"
    contents = resolved(documented[str(answer.status_code)]).get("content", {})
    if answer.data:
        assert answer.mimetype in contents, f"{name}: {answer.mimetype} is not documented"
    if answer.data and answer.is_json:
        assert not fits(contents[answer.mimetype]["schema"], answer.json), f"{name}: {answer.text}"
