"""The audit over REST, and the history of one product."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from catalog.audit import service
from catalog.database import transaction

AUDIT = "/api/v1/audit"


def at(moment):
    return moment.isoformat().replace("+00:00", "Z")


def test_entries_are_listed_the_latest_first_and_paged_by_cursor(client, context):
    for number in range(5):
        service.record("create", "thing", number)
    seen, cursor = [], {}
    while True:
        page = client.get(AUDIT, query_string={"limit": 2, **cursor}).json
        seen += [entry["entity_id"] for entry in page["items"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["4", "3", "2", "1", "0"]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"entity": "lamp"}, ["1", "2"]),
        ({"entity": "lamp", "id": "2"}, ["2"]),
        ({"action": "delete"}, ["3"]),
        ({"actor": "system"}, ["1", "2", "3"]),
        ({"actor": "key:1"}, []),
        ({"entity": "lamp", "action": "delete"}, []),
    ],
)
def test_entries_are_found_by_entity_id_actor_and_action(entries, context, query, found):
    service.record("create", "lamp", 1)
    service.record("create", "lamp", 2)
    service.record("delete", "desk", 3)
    assert sorted(entry["entity_id"] for entry in entries(**query)) == found


def test_entries_are_found_by_time(entries, context):
    service.record("create", "lamp", 1)
    now = datetime.now(UTC)
    assert len(entries(since=at(now - timedelta(minutes=1)), until=at(now + timedelta(minutes=1)))) == 1
    assert entries(since=at(now + timedelta(minutes=1))) == []
    assert entries(until=at(now - timedelta(minutes=1))) == []
    assert len(entries(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z")) == 1


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"since": "2026-01-01"}, {"who": "x"}]
)
def test_a_question_that_cannot_be_is_refused_by_field(client, query):
    answer = client.get(AUDIT, query_string=query)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == next(iter(query))


def test_a_products_history_goes_on_after_its_end(client, entries):
    lamp = client.post("/api/v1/products", json={"name": "Lamp"}).json
    client.post("/api/v1/products", json={"name": "Another"})
    path = f"/api/v1/products/{lamp['id']}"
    client.put(path, json={"price": 2})
    client.delete(path)
    assert [entry["action"] for entry in entries(f"{path}/history")] == ["delete", "update", "create"]
    page = client.get(f"{path}/history?limit=2").json
    assert [entry["action"] for entry in page["items"]] == ["delete", "update"]
    rest = client.get(f"{path}/history", query_string={"cursor": page["next_cursor"]}).json
    assert [entry["action"] for entry in rest["items"]] == ["create"]


def test_a_product_that_never_was_has_no_history(client):
    assert client.get(f"/api/v1/products/{uuid.uuid4()}/history").status_code == 404


def test_a_product_of_which_nothing_was_written_down_has_an_empty_history(client, context, entries):
    lamp = client.post("/api/v1/products", json={"name": "Lamp"}).json
    with transaction() as session:
        session.execute(text("DELETE FROM audit_entries"))
    assert entries(f"/api/v1/products/{lamp['id']}/history") == []
