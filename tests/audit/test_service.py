"""What is written down of each write, in its own transaction."""

import pytest
from sqlalchemy import text

from catalog.access import Caller
from catalog.audit import service
from catalog.database import transaction
from catalog.extensions import db
from catalog.products import applying, bulk_delete
from tests.orders.conftest import body as order_body

LAMP = {"sku": "LAMP-1", "name": "Desk lamp", "price": 39.5}


def test_an_entry_tells_who_when_what_and_from_where(client, entries):
    made = client.post("/api/v1/products", json=LAMP, headers={"X-Request-ID": "mine"}).json
    (entry,) = entries()
    assert entry["actor"] == {"id": "anonymous", "name": "anonymous"}
    assert (entry["address"], entry["request_id"]) == ("127.0.0.1", "mine")
    assert (entry["action"], entry["entity"], entry["entity_id"]) == ("create", "product", made["id"])
    assert entry["at"][:16] == made["created_at"][:16]
    assert entry["before"] is None
    assert {**made, **entry["after"]} == made
    assert "updated_at" not in entry["after"]


def test_the_caller_is_named_by_its_key(client, entries, monkeypatch):
    monkeypatch.setattr(service, "caller", lambda: Caller("key:1", "Warehouse", "192.0.2.7"))
    client.post("/api/v1/products", json=LAMP)
    (entry,) = entries()
    assert (entry["actor"], entry["address"]) == ({"id": "key:1", "name": "Warehouse"}, "192.0.2.7")


def test_outside_of_requests_the_system_writes(context, written):
    service.record("create", "thing", 7, after={"a": 1})
    assert written() == [("create", "thing", "7", None, {"a": 1})]
    assert db.session.scalar(text("SELECT actor_id FROM audit_entries")) == "system"


def test_a_change_keeps_the_changed_fields_only(client, written):
    lamp = client.post("/api/v1/products", json=LAMP).json
    client.put(f"/api/v1/products/{lamp['id']}", json={"price": 35, "name": "Desk lamp"})
    before, after = written()[-1][3:]
    assert (before, after) == ({"price": 39.5, "version": 1}, {"price": 35.0, "version": 2})


def test_what_changes_nothing_is_not_written_down(client, written):
    lamp = client.post("/api/v1/products", json=LAMP).json
    client.put(f"/api/v1/products/{lamp['id']}", json={"name": "Desk lamp"})
    client.post("/api/v1/products/bulk", json={"items": [LAMP]})
    assert len(written()) == 1


def test_what_is_refused_is_not_written_down(client, written):
    lamp = client.post("/api/v1/products", json=LAMP).json
    path = f"/api/v1/products/{lamp['id']}"
    assert client.post("/api/v1/products", json=LAMP).status_code == 409
    assert client.delete(path, headers={"If-Match": '"7"'}).status_code == 412
    assert client.put(path, json={"price": -1}).status_code == 400
    assert len(written()) == 1


def test_what_is_rolled_back_takes_its_entry_with_it(context, written):
    with pytest.raises(KeyError), transaction():
        service.record("create", "thing", 1)
        raise KeyError
    assert written() == []


def test_an_entry_that_cannot_be_written_takes_the_write_with_it(client, context, monkeypatch):
    monkeypatch.setattr(service, "_RECORD", text("SELECT 1/0"))
    assert client.post("/api/v1/products", json=LAMP).status_code == 500
    assert db.session.scalar(text("SELECT count(*) FROM products")) == 0


def test_products_put_by_sku_changed_in_bulk_and_deleted(client, written):
    client.put("/api/v1/products/by-sku/A", json={"name": "Lamp"})
    client.post("/api/v1/products/bulk", json={"items": [{"sku": "a", "price": 2}, {"sku": "B", "name": "Desk"}]})
    (product,) = client.get("/api/v1/products?sku=A").json["items"]
    client.delete(f"/api/v1/products/{product['id']}")
    actions = [
        (action, (before or {}).get("price"), (after or {}).get("price")) for action, *_, before, after in written()
    ]
    assert actions == [("create", None, None), ("update", None, 2.0), ("create", None, None), ("delete", 2.0, None)]
    assert written()[-1][3]["name"] == "Lamp"


def test_a_queued_write_is_written_down_under_the_name_of_who_asked(client, context, written, monkeypatch):
    monkeypatch.setattr(applying.writes, "ring", lambda: True)
    with monkeypatch.context() as asking:
        asking.setattr(service, "caller", lambda: Caller("key:1", "Warehouse", "192.0.2.7"))
        query = 'mutation { createProduct(title: "A", price: 1) { productId } }'
        made = client.post("/graphql", json={"query": query}, headers={"X-Request-ID": "mine"}).json
        update = 'mutation { updateProduct(productId: "%s", price: 2) { success } }'
        client.post("/graphql", json={"query": update % made["data"]["createProduct"]["productId"]})
    assert written() == []
    while applying.apply_next():
        pass
    assert [row[0] for row in written("product")] == ["create", "update"]
    found = db.session.execute(text("SELECT actor_id, address, request_id FROM audit_entries ORDER BY id")).all()
    assert found[0] == ("key:1", "192.0.2.7", "mine")
    assert found[1][:2] == ("key:1", "192.0.2.7")


@pytest.mark.parametrize("each", [False, True])
def test_a_bulk_deletion_is_written_down_and_each_product_where_wanted(client, app, written, monkeypatch, each):
    monkeypatch.setitem(app.config, "AUDIT_IMPORT_ROWS", each)
    lamp = client.post("/api/v1/products", json=LAMP).json
    task = client.delete("/api/v1/products/all").json["task_id"]
    with app.app_context():
        bulk_delete.run(task)
    told = written("bulk_deletion")
    assert told == [
        ("create", "bulk_deletion", task, None, {"total": 1}),
        ("finish", "bulk_deletion", task, None, {"deleted": 1}),
    ]
    deleted = [row for row in written("product") if row[0] == "delete"]
    assert [(row[2], row[3]["name"], row[4]) for row in deleted] == [(lamp["id"], "Desk lamp", None)] * each


def test_tasks(client, written):
    task = client.post("/api/v1/tasks", json={"title": "Buy lamps"}).json
    client.put(f"/api/v1/tasks/{task['id']}", json={"status": "COMPLETED"})
    client.delete(f"/api/v1/tasks/{task['id']}")
    assert [row[:3] for row in written()] == [(verb, "task", task["id"]) for verb in ("create", "update", "delete")]
    assert written()[1][3:] == ({"status": "PENDING", "version": 1}, {"status": "COMPLETED", "version": 2})


def test_webhooks_with_their_secrets_and_headers_hidden(client, written):
    fields = {
        "url": "http://127.0.0.1:8080/",
        "events": ["*"],
        "secret": "canary-1",
        "headers": {"X-Key": "canary-2", "X-Shop": "one"},
    }
    hook = client.post("/api/v1/webhooks", json=fields).json
    path = f"/api/v1/webhooks/{hook['id']}"
    client.put(path, json={"secret": "canary-3", "headers": {"X-Key": "canary-4"}, "timeout_seconds": 7})
    client.post(f"{path}/rotate-secret", json={"secret": "canary-5"})
    client.delete(path)
    created, updated, rotated, deleted = written()
    assert [row[0] for row in written()] == ["create", "update", "rotate_secret", "delete"]
    kept = {"headers": {"X-Shop": "***"}, "secret_headers": {"X-Key": "***"}, "secret": "***"}
    assert created[4].items() >= kept.items()
    assert updated[3] == {**kept, "timeout_seconds": 30}
    assert updated[4] == {**kept, "headers": {}, "timeout_seconds": 7}
    assert rotated[3:] == (None, None)
    assert deleted[3]["url"] == "http://127.0.0.1:8080/"
    assert "canary" not in str(written())


def test_mappings(client, written):
    body = {"name": "shop", "mapping": {"Title": "name", "No": "sku"}}
    client.post("/api/v1/imports/mappings", json=body)
    client.put("/api/v1/imports/mappings/shop", json={"mapping": {"No": "sku"}})
    client.delete("/api/v1/imports/mappings/shop")
    told = [(action, before, after) for action, _, name, before, after in written("mapping") if name == "shop"]
    first, second = {"mapping": body["mapping"]}, {"mapping": {"No": "sku"}}
    assert told == [("create", None, first), ("update", first, second), ("delete", second, None)]


def test_orders_keep_who_submitted_them_until_the_first_processor_writes_it_down(client, context, written):
    from catalog.orders import service as orders

    client.post("/api/v1/orders", json=order_body(7), headers={"X-Request-ID": "mine"})
    client.post("/api/v1/orders", json=order_body(7))  # the same one: nothing new
    client.post("/api/v1/orders/7/retry")
    assert db.session.scalar(text("SELECT asked_by ->> 'request_id' FROM orders")) == "mine"
    orders.process()
    client.post("/api/v1/orders/7/retry")
    orders.process()
    assert db.session.scalar(text("SELECT count(asked_by) FROM orders")) == 0
    assert db.session.scalar(text("SELECT request_id FROM audit_entries ORDER BY id LIMIT 1")) == "mine"
    kept = client.get("/api/v1/orders/7").json
    assert written() == [
        ("create", "order", "7", None, {"hash": kept["hash"]}),  # by the time when it was taken in
        *[("retry", "order", "7", None, None)] * 2,
    ]


def test_stock_that_an_order_takes_is_written_down(client, app, context, written, monkeypatch):
    from catalog.orders import service as orders

    monkeypatch.setitem(app.config, "ORDER_RESERVE_STOCK", True)
    client.post("/api/v1/products", json={"sku": "P001", "name": "Lamp", "stock_quantity": 10})
    client.post("/api/v1/orders", json=order_body(7))
    orders.process()
    last = written("product")[-1]
    assert (last[0], last[3]["stock_quantity"], last[4]["stock_quantity"]) == ("update", 10, 7)


def test_jobs_that_are_cancelled_and_run_again(client, written):
    job = client.post("/api/v1/jobs/test").json["task_id"]
    assert client.delete(f"/api/v1/jobs/{job}").status_code == 202
    assert written() == [("cancel", "job", job, None, None)]


def test_text_that_the_database_cannot_hold_fails_no_write(context, written):
    service.record("create", "thing", 1, after={"text": "a\0b"})
    assert written()[0][4] == {"text": "a\ufffdb"}
