"""Every change of a product is told, and nothing that did not change."""

import json
import uuid

import pytest
from sqlalchemy import text

from catalog.database import transaction
from catalog.products import bulk_delete, jobs

URL = "/api/v1/products"


@pytest.fixture
def told(context):
    """The events so far, as (name, data), and forget them."""

    def take():
        with transaction() as session:
            rows = session.execute(text("DELETE FROM webhook_events RETURNING id, name, data")).all()
        return [(row.name, row.data) for row in sorted(rows)]

    return take


def test_create_update_and_delete_are_told(client, told):
    product = client.post(URL, json={"name": "Lamp", "price": 5, "rating": {"rate": 4, "count": 2}}).json
    assert told() == [("product.created", product)]
    changed = client.patch(f"{URL}/{product['id']}", json={"price": 6.5, "name": "Lamp", "rating": None}).json
    ((name, data),) = told()
    differences = {"price": {"from": 5.0, "to": 6.5}, "rating": {"from": {"rate": 4.0, "count": 2}, "to": None}}
    assert (name, data) == ("product.updated", {**changed, "changed": differences})
    assert data["version"] == 2
    client.delete(f"{URL}/{product['id']}")
    assert told() == [("product.deleted", {"id": product["id"], "sku": product["sku"], "name": "Lamp"})]


def test_a_change_by_sku_is_told_like_any_other(client, told):
    client.put(f"{URL}/by-sku/A-1", json={"name": "Lamp"})
    client.put(f"{URL}/by-sku/a-1", json={"name": "Lamp 2"})
    assert [name for name, _ in told()] == ["product.created", "product.updated"]


def test_an_update_that_changes_nothing_tells_nothing(client, told):
    product = client.post(URL, json={"name": "Lamp", "price": 5}).json
    told()
    client.patch(f"{URL}/{product['id']}", json={"price": 5.0, "name": "Lamp"})
    assert told() == []


@pytest.mark.parametrize("wrong", [{"name": ""}, {"sku": "TAKEN", "name": "x"}])
def test_a_refused_change_tells_nothing(client, told, wrong):
    client.post(URL, json={"sku": "TAKEN", "name": "x"})
    told()
    assert client.post(URL, json=wrong).status_code in (400, 409)
    assert told() == []


def test_a_bulk_deletion_is_told_once_with_its_count(client, told):
    for number in range(3):
        client.post(URL, json={"name": f"Lamp {number}"})
    task = client.delete(f"{URL}/all").json["task_id"]
    told()
    jobs.delete_all(task)
    jobs.delete_all(task)
    assert told() == [("products.deleted_all", {"task_id": task, "count": 3})]


def test_a_deletion_that_is_stopped_tells_how_many_products_are_gone(client, told, monkeypatch):
    monkeypatch.setattr(bulk_delete, "CHUNK", 1)
    for number in range(2):
        client.post(URL, json={"name": f"Lamp {number}"})
    begun, waiting = (client.delete(f"{URL}/all").json["task_id"] for _ in range(2))
    bulk_delete._delete_chunk(uuid.UUID(begun))
    told()
    bulk_delete.cancel(uuid.UUID(waiting))
    bulk_delete.cancel(uuid.UUID(begun))
    assert told() == [("products.deleted_all", {"task_id": begun, "count": 1, "cancelled": True})]


def test_a_huge_product_is_told_by_its_ids(client, told):
    product = client.post(URL, json={"name": "Lamp", "description": "x" * 70_000}).json
    ((_, data),) = told()
    assert data == {name: product[name] for name in ("id", "number", "sku", "version")} | {"truncated": True}
    assert len(json.dumps(data)) < 500
