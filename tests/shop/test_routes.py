"""The shop window, as its clients see it, and that both faces of a product show the same."""

import uuid

import pytest

from catalog.products import bulk_delete, service

SHOP = "/products"
API = "/api/v1/products"
LAMP = {"name": "Desk lamp", "description": "Warm white", "price": 39.9, "stock_quantity": 12}


def create(client, **fields):
    answer = client.post(f"{SHOP}/", json={**LAMP, **fields})
    assert answer.status_code == 201, answer.text
    return answer


def test_a_product_is_created_and_read_in_five_fields(client):
    answer = create(client)
    assert list(answer.json) == ["id", "name", "description", "price", "stock_quantity"]
    assert answer.json == {"id": answer.json["id"], **LAMP}
    assert answer.headers["Location"] == f"{SHOP}/{answer.json['id']}"
    read = client.get(answer.headers["Location"])
    assert (read.json, read.headers["ETag"], read.mimetype) == (answer.json, '"1"', "application/json")
    assert list(read.json) == list(answer.json)


def test_it_is_a_product_like_any_other_with_the_same_id(client):
    shown = create(client).json
    product = client.get(f"{API}/{shown['id']}").json
    assert product["sku"] == f"SKU-{product['number']}"
    assert shown.items() <= product.items()


def test_a_description_is_optional(client):
    answer = client.post(SHOP, json={"name": "Lamp", "price": 1, "stock_quantity": 0})
    assert (answer.status_code, answer.json["description"]) == (201, None)


@pytest.mark.parametrize("field", ["name", "price", "stock_quantity"])
def test_a_missing_field_is_named(client, field):
    answer = client.post(SHOP, json={name: value for name, value in LAMP.items() if name != field})
    assert (answer.status_code, answer.json["detail"]) == (400, "Validation error")
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [(field, "required")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", " "), ("name", "x" * 256), ("name", "a\x00"), ("name", None), ("name", 5),
        ("price", 0), ("price", -1), ("price", 1.999), ("price", "5"), ("price", 10**10), ("price", True),
        ("stock_quantity", -1), ("stock_quantity", 1.5), ("stock_quantity", 2**31), ("stock_quantity", None),
        ("description", 5), ("sku", "LAMP-1"), ("active", False), ("number", 7), ("id", "x"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_field_in_a_new_product_and_in_a_change(client, field, value):
    lamp = create(client)
    for answer in (
        client.post(SHOP, json={**LAMP, field: value}),
        client.put(lamp.headers["Location"], json={field: value}),
    ):
        assert (answer.status_code, answer.json["detail"]) == (400, "Validation error")
        assert {error["field"] for error in answer.json["errors"]} == {field}
    assert client.get(lamp.headers["Location"]).json == lamp.json
    assert client.get(f"{API}/stats").json["total"] == 1


def test_a_change_changes_the_given_fields_only(client):
    lamp = create(client)
    changed = client.put(lamp.headers["Location"], json={"price": 5, "description": None})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert changed.json == {**lamp.json, "price": 5.0, "description": None}


def test_what_was_read_can_be_put_back_even_where_the_catalog_knows_no_price(client):
    product = client.post(API, json={"name": "Lamp"}).json
    shown = client.get(f"{SHOP}/{product['id']}").json
    assert shown["price"] is None
    answer = client.put(f"{SHOP}/{product['id']}", json={**shown, "stock_quantity": 3})
    assert (answer.status_code, answer.json) == (200, {**shown, "stock_quantity": 3})


def test_a_body_with_another_id_than_the_address_is_refused(client):
    lamp = create(client)
    answer = client.put(lamp.headers["Location"], json={"id": str(uuid.uuid4()), "price": 5})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "id")
    assert client.get(lamp.headers["Location"]).json == lamp.json


def test_a_new_product_takes_no_id(client):
    answer = client.post(SHOP, json={**LAMP, "id": str(uuid.uuid4())})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (400, "unknown_field")


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_stale_if_match_is_412_and_changes_nothing(client, method):
    url = create(client).headers["Location"]
    now = client.put(url, json={"price": 5}).json
    body = {"json": {"price": 6}} if method == "put" else {}
    assert getattr(client, method)(url, headers={"If-Match": '"1"'}, **body).status_code == 412
    assert client.get(url).json == now


def test_a_deleted_product_is_gone_from_both(client):
    lamp = create(client)
    assert client.get(lamp.headers["Location"]).status_code == 200
    deleted = client.delete(lamp.headers["Location"])
    assert (deleted.status_code, deleted.data) == (204, b"")
    for url in (lamp.headers["Location"], f"{API}/{lamp.json['id']}"):
        assert client.get(url).status_code == 404
    assert client.delete(lamp.headers["Location"]).status_code == 404


def test_one_copy_serves_both(client, monkeypatch):
    lamp = create(client)
    assert client.get(f"{API}/{lamp.json['id']}").headers["X-Cache"] == "MISS"
    monkeypatch.setattr(service, "get", lambda *_: pytest.fail("the database was asked"))
    hit = client.get(lamp.headers["Location"])
    assert (hit.headers["X-Cache"], hit.json) == ("HIT", lamp.json)
    held = client.get(lamp.headers["Location"], headers={"If-None-Match": hit.headers["ETag"]})
    assert (held.status_code, held.data) == (304, b"")


@pytest.mark.parametrize(("writer", "reader"), [(SHOP, API), (API, SHOP), (SHOP, SHOP)])
def test_a_write_through_one_is_seen_by_the_next_read_of_the_other(client, writer, reader):
    lamp = create(client).json["id"]
    for stock in range(5):
        client.get(f"{reader}/{lamp}")
        client.put(f"{writer}/{lamp}", json={"stock_quantity": stock})
        assert client.get(f"{reader}/{lamp}").json["stock_quantity"] == stock


def test_a_bulk_deletion_empties_the_shop_window(client, app):
    url = create(client).headers["Location"]
    client.get(url)
    with app.app_context():
        bulk_delete.run(bulk_delete.request().id)
    assert client.get(url).status_code == 404


def test_the_shop_window_has_no_list(client):
    answer = client.get(SHOP)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})
