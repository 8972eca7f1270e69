"""The gauges of /metrics: what waits, since when, and whether the servers answer."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from catalog.extensions import db
from tests.health.test_routes import break_database, break_redis


@pytest.fixture
def gauges(client):
    """Return a function that reads the gauges: {(name, label): value}."""

    def read():
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return {
            (sample.name.removeprefix("catalog_"), *sample.labels.values()): sample.value
            for sample in samples
            if sample.name.startswith(("catalog_backlog", "catalog_dependency", "catalog_last"))
        }

    return read


def insert(statement: str) -> None:
    db.session.execute(text(statement))
    db.session.commit()


LATE = {
    "writes": "INSERT INTO product_writes (kind, fields, due_at) VALUES ('create', '{}', now() - interval '1 minute')",
    "imports": "INSERT INTO imports (filename, size, options, header, ignored_columns, created_at)"
    " VALUES ('a.csv', 1, '{}', '[]', '[]', now() - interval '1 minute')",
    "deliveries": "INSERT INTO webhook_deliveries (webhook_id, event_id, due_at)"
    " VALUES (uuidv7(), uuidv7(), now() - interval '1 minute')",
    "retries": "INSERT INTO webhook_deliveries (webhook_id, event_id, due_at, attempts, queued_at)"
    " VALUES (uuidv7(), uuidv7(), now() + interval '1 hour', 3, now() - interval '1 minute')",
    "invalidations": "INSERT INTO cache_invalidations (names, fence, state, created_at)"
    " VALUES ('{product:1}', 'F', 'lost', now() - interval '1 minute')",
}


def test_nothing_waits_in_an_idle_service(gauges, context):
    found = gauges()
    assert {value for (name, *_), value in found.items() if name.startswith("backlog")} == {0.0}


@pytest.mark.parametrize("kind", LATE)
def test_what_is_late_is_counted_with_its_age(gauges, context, kind):
    insert(LATE[kind])
    found = gauges()
    assert found["backlog", kind] == 1
    assert 59 < found["backlog_oldest_seconds", kind] < 120
    others = {value for (name, other), value in found.items() if name == "backlog" and other != kind}
    assert others == {0.0}


def test_an_order_that_nobody_takes_up_is_late_and_one_that_waits_for_its_next_try_is_not(gauges, client, context):
    order = {"customer": "A", "submitted_at": "2026-01-05T10:00:00Z"}
    for number in (1, 2):
        items = [{"sku": "A", "quantity": 1, "unit_price": 1}]
        assert client.post("/api/v1/orders", json={**order, "id": number, "items": items}).status_code == 202
    insert("UPDATE orders SET due_at = now() + interval '1 minute' WHERE id = 2")
    assert gauges()["backlog", "orders"] == 1


def test_without_postgresql_the_gauges_say_so_and_nothing_of_what_waits(gauges, monkeypatch):
    break_database(monkeypatch)
    found = gauges()
    assert found["dependency_up", "database"] == 0
    assert not [name for name, *_ in found if name.startswith("backlog")]


def test_without_redis_the_gauges_say_so(gauges, monkeypatch):
    break_redis(monkeypatch)
    found = gauges()
    assert (found["dependency_up", "database"], found["dependency_up", "queue"], found["dependency_up", "cache"]) == (
        1,
        0,
        0,
    )
