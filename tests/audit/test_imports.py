"""What is written down of imports: how they began and ended, and each product where wanted."""

import io
import uuid

import pytest
from sqlalchemy import text

from catalog.access import Caller
from catalog.audit import service
from catalog.imports import service as imports

FIRST = b"sku,name,price\nA,Lamp,1\nB,Desk,2\n"
SECOND = b"sku,name,price\nA,Lamp,1\nB,Desk,3\nC,Chair,4\nD,Bad,x\n"


@pytest.fixture
def imported(app, committed, monkeypatch):
    """Return a function that imports a file, asked for by a key, and returns the import's id."""

    def run(content, **options):
        with monkeypatch.context() as asking:
            asking.setattr(service, "caller", lambda: Caller("key:1", "Warehouse", "192.0.2.7"))
            data = {"file": (io.BytesIO(content), "products.csv"), **options}
            task = app.test_client().post("/api/v1/products/upload", data=data).json["task_id"]
        with app.app_context():
            imports.run(uuid.UUID(task))
        return task

    return run


@pytest.fixture
def told(app, committed):
    """Return a function that reads the entries of an entity, the oldest first."""
    from catalog.extensions import db

    def read(entity):
        statement = text("SELECT * FROM audit_entries WHERE entity = :entity ORDER BY id")
        with app.app_context():
            return db.session.execute(statement, {"entity": entity}).all()

    return read


def test_an_import_is_written_down_when_it_is_asked_for_and_when_it_has_ended(imported, told):
    task = imported(SECOND)
    began, ended = told("import")
    assert [(entry.action, entry.entity_id, entry.actor_id) for entry in (began, ended)] == [
        ("create", task, "key:1"),
        ("finish", task, "key:1"),
    ]
    assert (began.after["filename"], began.after["options"]["mode"]) == ("products.csv", "upsert")
    counts = {name: ended.after[name] for name in ("state", "total_rows", "created", "rejected")}
    assert counts == {"state": "completed", "total_rows": 4, "created": 3, "rejected": 1}
    assert told("product") == []


@pytest.mark.parametrize("events", ["none", "per_product"])
def test_each_product_is_written_down_where_the_setting_wants_it(app, imported, told, monkeypatch, events):
    monkeypatch.setitem(app.config, "AUDIT_IMPORT_ROWS", True)
    imported(FIRST, events=events)
    imported(SECOND, events=events)
    entries = told("product")
    assert sorted((entry.action, (entry.after or {}).get("sku")) for entry in entries) == [
        ("create", "A"),
        ("create", "B"),
        ("create", "C"),
        ("update", None),
    ]
    (update,) = [entry for entry in entries if entry.action == "update"]
    assert (update.before, update.after) == ({"price": 2, "version": 1}, {"price": 3, "version": 2})
    assert {(entry.actor_id, entry.address) for entry in entries} == {("key:1", "192.0.2.7")}


def test_a_cancelled_import_is_written_down_with_who_cancelled_it(app, committed, told):
    data = {"file": (io.BytesIO(FIRST), "products.csv")}
    client = app.test_client()
    task = client.post("/api/v1/products/upload", data=data).json["task_id"]
    client.delete(f"/api/v1/imports/{task}")
    assert [entry.action for entry in told("import")] == ["create", "cancel", "finish"]
    assert told("import")[-1].after["state"] == "cancelled"


def test_a_dry_run_is_written_down_as_one_and_so_is_its_commit(app, imported, told):
    task = imported(FIRST, dry_run="true")
    app.test_client().post(f"/api/v1/imports/{task}/commit")
    with app.app_context():
        imports.run(uuid.UUID(task))
    assert [(entry.action, (entry.after or {}).get("dry_run")) for entry in told("import")] == [
        ("create", None),
        ("finish", True),
        ("commit", None),
        ("finish", False),
    ]
