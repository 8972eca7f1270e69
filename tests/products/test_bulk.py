"""Many upserts in one call: each item has its own end, and all are told and forgotten as single writes are."""

import threading

import pytest
from sqlalchemy import text

from catalog.extensions import db
from catalog.products import bulk, service
from catalog.webhooks import service as webhooks


def send(client, *items):
    answer = client.post("/api/v1/products/bulk", json={"items": list(items)})
    assert answer.status_code == 200, answer.json
    return answer.json


def ends(answer) -> list[str]:
    return [result["result"] for result in answer["results"]]


def product(client, sku: str) -> dict:
    return client.get(f"/api/v1/products/by-sku/{sku}").json


def test_every_item_is_created_updated_unchanged_or_an_error_of_its_own(client):
    client.post("/api/v1/products", json={"sku": "A", "name": "Lamp", "price": 5, "description": "kept"})
    client.post("/api/v1/products", json={"sku": "B", "name": "Desk"})
    answer = send(
        client,
        {"sku": "new", "name": "New", "rating": {"rate": 4.5, "count": 2}, "active": False},
        {"sku": "a", "price": 6.5},
        {"sku": "B", "name": "Desk", "stock_quantity": 0},
        {"sku": "nameless"},
        {"sku": "C", "name": "Chair", "price": "5", "colour": "red"},
        "no object",
        {"name": "No SKU"},
        {"sku": "NEW", "name": "Again"},
    )
    assert ends(answer) == ["created", "updated", "unchanged", *["error"] * 5]
    assert {name: answer[name] for name in ("created", "updated", "unchanged", "errors")} == {
        **{"created": 1, "updated": 1, "unchanged": 1, "errors": 5}
    }
    problems = [[(e["field"], e["code"]) for e in result["errors"]] for result in answer["results"]]
    assert problems[3] == [("name", "required")]
    assert sorted(problems[4]) == [("colour", "unknown_field"), ("price", "invalid")]
    assert len(problems[5]) == 1
    assert problems[6:] == [[("sku", "required")], [("sku", "duplicate")]]
    assert [result["version"] for result in answer["results"][:4]] == [1, 2, 1, None]
    lamp = product(client, "A")
    assert (lamp["sku"], lamp["price"], lamp["description"], lamp["version"]) == ("A", 6.5, "kept", 2)
    assert answer["results"][1]["id"] == lamp["id"]
    assert product(client, "new")["rating"] == {"rate": 4.5, "count": 2}
    assert product(client, "C")["code"] == "not_found"


def test_null_clears_and_what_is_not_given_stays(client):
    client.post("/api/v1/products", json={"sku": "A", "name": "L", "price": 5, "category": "x", "stock_quantity": 3})
    assert ends(send(client, {"sku": "A", "price": None})) == ["updated"]
    found = product(client, "A")
    assert (found["price"], found["category"], found["stock_quantity"]) == (None, "x", 3)


def test_every_change_is_an_event_like_that_of_a_single_write_and_the_copy_is_forgotten(client, context):
    made = client.post("/api/v1/products", json={"sku": "A", "name": "Lamp", "price": 5}).json
    address = f"/api/v1/products/{made['id']}"
    client.get(address)
    db.session.execute(text("DELETE FROM webhook_events"))
    send(client, {"sku": "a", "price": 6}, {"sku": "B", "name": "Desk"}, {"sku": "C"})
    assert client.get(address).json["price"] == 6
    found = db.session.execute(text("SELECT name, data FROM webhook_events ORDER BY name")).all()
    assert [name for name, _ in found] == ["product.created", "product.updated"]
    created, updated = (data for _, data in found)
    assert created == product(client, "B")
    assert updated == {**client.get(address).json, "changed": {"price": {"from": 5, "to": 6}}}
    assert webhooks


@pytest.mark.parametrize("items", [None, [], [{}] * 1_001, "x"])
def test_none_too_many_or_no_list_is_refused_whole(client, items):
    answer = client.post("/api/v1/products/bulk", json={"items": items})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "items"


def test_the_numbers_of_products_that_exist_are_not_used_up(client):
    send(client, {"sku": "A", "name": "Lamp"})
    for price in range(1, 4):
        send(client, {"sku": "A", "price": price})
    send(client, {"sku": "B", "name": "Desk"})
    assert product(client, "B")["number"] == product(client, "A")["number"] + 1


def test_calls_with_the_same_products_in_other_orders_never_block_each_other(committed):
    """Eight at once, some of the products there already: all end, and every product has been written eight times."""
    skus = [f"S-{number}" for number in range(200)]
    failures = []

    def write(worker: int) -> None:
        ordered = skus if worker % 2 else skus[::-1]
        try:
            with committed.app_context():
                for _ in range(3):
                    items = [{"sku": sku, "name": "N", "stock_quantity": worker * 10} for sku in ordered]
                    assert bulk.upsert(items)["errors"] == 0
        except Exception as error:
            failures.append(error)

    with committed.app_context():
        for sku in skus[::3]:
            service.create({"sku": sku, "name": "There"})
        before = deadlocks()
    threads = [threading.Thread(target=write, args=[worker]) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with committed.app_context():
        assert deadlocks() == before
        assert db.session.scalar(text("SELECT count(*) FROM products")) == len(skus)
        db.session.rollback()


def deadlocks() -> int:
    db.session.execute(text("SELECT pg_stat_force_next_flush()"))
    found = db.session.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    db.session.rollback()
    return found
