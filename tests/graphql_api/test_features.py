"""Imports and webhooks over GraphQL."""

import io

import pytest

from tests.webhooks.receivers import Receiver

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def import_id(client):
    file = (io.BytesIO(b"sku,name\nA,Lamp\n"), "lamps.csv")
    return client.post("/api/v1/products/upload", data={"file": file}).json["task_id"]


def test_an_import_is_listed_read_and_cancelled_once(ask, import_id):
    page = ask("{ imports { total hasMore items { id filename state size } } }")["data"]["imports"]
    assert page["items"] == [{"id": import_id, "filename": "lamps.csv", "state": "pending", "size": 16.0}]
    one = ask("query($id: ID!) { import(importId: $id) { state header options createdAt } }", id=import_id)
    assert one["data"]["import"]["header"] == ["sku", "name"]
    cancel = "mutation($id: ID!) { cancelImport(importId: $id) { import { state cancelRequested } } }"
    assert ask(cancel, id=import_id)["data"]["cancelImport"]["import"] == {
        "state": "cancelled",
        "cancelRequested": True,
    }
    assert ask(cancel, id=import_id)["errors"][0]["extensions"]["code"] == "conflict"


@pytest.mark.parametrize("name", ["import", "webhook"])
@pytest.mark.parametrize("reference", [NOBODY, "7"])
def test_what_is_not_there_is_not_found(ask, name, reference):
    body = ask(f"query($id: ID!) {{ {name}({name}Id: $id) {{ id }} }}", id=reference)
    assert body["errors"][0]["extensions"]["code"] == "not_found"


CREATE = """mutation($url: String!, $events: [String!]!, $headers: JSON) {
  createWebhook(url: $url, events: $events, headers: $headers, secret: "hush") {
    webhook { id url events isActive hasSecret headers retryCount }
  }
}"""


def test_a_webhook_is_created_changed_listed_and_deleted(ask):
    body = ask(CREATE, url="http://127.0.0.1:8080/x", events=["product.*"], headers={"X-Team": "a"})
    webhook = body["data"]["createWebhook"]["webhook"]
    assert webhook["hasSecret"] is True
    assert webhook["headers"] == {"X-Team": "a"}
    update = "mutation($id: ID!) { updateWebhook(webhookId: $id, isActive: false) { webhook { isActive events } } }"
    changed = ask(update, id=webhook["id"])["data"]["updateWebhook"]["webhook"]
    assert changed == {"isActive": False, "events": ["product.*"]}
    assert ask("{ webhooks { total items { id } } }")["data"]["webhooks"]["items"] == [{"id": webhook["id"]}]
    delete = "mutation($id: ID!) { deleteWebhook(webhookId: $id) { success } }"
    assert ask(delete, id=webhook["id"])["data"]["deleteWebhook"]["success"] is True
    assert ask("{ webhooks { total } }")["data"]["webhooks"]["total"] == 0


def test_a_wrong_webhook_is_refused_argument_by_argument(ask):
    body = ask(CREATE, url="http://127.0.0.1:8080/x", events=["no.such"], headers={"Host": "a"})
    fields = {error["field"].split(".")[0] for error in body["errors"][0]["extensions"]["errors"]}
    assert fields == {"events", "headers"}


def test_a_test_is_sent_at_once_and_logged(ask):
    with Receiver() as receiver:
        webhook = ask(CREATE, url=receiver.url, events=["*"])["data"]["createWebhook"]["webhook"]
        test = "mutation($id: ID!) { testWebhook(webhookId: $id, payload: {sku: 1}) { success statusCode error } }"
        sent = ask(test, id=webhook["id"])["data"]["testWebhook"]
    assert sent == {"success": True, "statusCode": 200, "error": None}
    logs = """query($id: ID!, $since: DateTime) { webhookLogs(webhookId: $id, success: true, since: $since) {
        hasMore nextCursor items { event attempt payload createdAt } } }"""
    page = ask(logs, id=webhook["id"], since="2020-01-01T00:00:00Z")["data"]["webhookLogs"]
    assert [(each["event"], each["payload"]) for each in page["items"]] == [("product.created", {"sku": 1})]
    assert page["nextCursor"] is None
