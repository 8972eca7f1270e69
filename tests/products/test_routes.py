"""REST over products, as its clients see it."""

import re
import uuid

import pytest

URL = "/api/v1/products"


def create(client, **fields):
    answer = client.post(URL, json={"name": "Lamp", **fields})
    assert answer.status_code == 201, answer.text
    return answer


def test_a_product_is_created_with_everything_the_contract_names(client):
    answer = create(client, sku=" Lamp-1 ", price=10.5, rating={"rate": 4.5, "count": 3}, image="https://x.example/a")
    body = answer.json
    assert list(body) == [
        "id", "number", "sku", "name", "description", "active", "price", "stock_quantity", "category", "image",
        "rating", "version", "created_at", "updated_at",
    ]  # fmt: skip
    assert uuid.UUID(body["id"]).version == 7
    assert (body["sku"], body["price"], body["rating"]) == ("Lamp-1", 10.5, {"rate": 4.5, "count": 3})
    assert (body["active"], body["stock_quantity"], body["version"]) == (True, 0, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["created_at"])
    assert answer.headers["ETag"] == '"1"'
    assert client.get(answer.headers["Location"]).json == body


def test_a_product_without_a_sku_gets_one_from_its_number(client):
    body = create(client).json
    assert body["sku"] == f"SKU-{body['number']}"


def test_a_made_up_sku_steps_aside_for_one_that_was_chosen(client):
    number = create(client).json["number"]
    create(client, sku=f"sku-{number + 2}")  # takes number + 1
    assert create(client).json["sku"] == f"SKU-{number + 3}"


def test_a_sku_is_taken_without_regard_to_case_and_the_conflict_names_the_field(client):
    create(client, sku="Straße-Ä")
    answer = client.post(URL, json={"name": "Other", "sku": "STRAßE-ä"})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert answer.json["errors"][0]["field"] == "sku"
    assert client.get(f"{URL}/stats").json["total"] == 1


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_changes_the_given_fields_only_and_counts_the_version(client, method):
    created = create(client, price=5, category="Light")
    changed = getattr(client, method)(created.headers["Location"], json={"price": None, "stock_quantity": 3})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == '"2"'
    different = {key for key in changed.json if changed.json[key] != created.json[key]}
    assert different == {"price", "stock_quantity", "version", "updated_at"}


def test_a_change_that_changes_nothing_keeps_the_version(client):
    created = create(client, price=5)
    same = client.put(created.headers["Location"], json={"price": 5.0, "name": "Lamp"})
    assert same.json == created.json


def test_a_stale_if_match_is_412_and_changes_nothing(client):
    address = create(client).headers["Location"]
    assert client.put(address, json={"price": 1}, headers={"If-Match": '"1"'}).status_code == 200
    for method, body in (("put", {"price": 2}), ("patch", {"price": 2}), ("delete", None)):
        answer = getattr(client, method)(address, json=body, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
    assert client.get(address).json["price"] == 1


@pytest.mark.parametrize("header", ['"2"', '"7", "2"', "*"])
def test_an_if_match_that_names_the_version_lets_the_change_through(client, header):
    address = create(client).headers["Location"]
    client.put(address, json={"price": 1})
    assert client.put(address, json={"price": 2}, headers={"If-Match": header}).status_code == 200


@pytest.mark.parametrize("header", ['"x"', '""', "W/", 'W/""', '"99999999999999999999"', ","])
def test_an_if_match_that_is_no_version_matches_none(client, header):
    address = create(client).headers["Location"]
    assert client.put(address, json={"price": 2}, headers={"If-Match": header}).status_code == 412


def test_a_reader_who_has_the_version_gets_304_with_the_etag_and_no_body(client):
    address = create(client).headers["Location"]
    answer = client.get(address, headers={"If-None-Match": 'W/"1"'})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", '"1"')
    client.put(address, json={"price": 1})
    assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 200


def test_a_deleted_product_is_gone(client):
    address = create(client).headers["Location"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete(address).status_code == 404


def test_a_product_is_found_by_its_sku_in_any_case_and_with_a_slash_in_it(client):
    body = create(client, sku="A/B c").json
    assert client.get(f"{URL}/by-sku/a/b%20C").json == body
    assert client.get(f"{URL}/by-sku/a%00").status_code == 404
    assert client.get(f"{URL}/by-sku/unknown").status_code == 404


def test_put_by_sku_creates_then_changes(client):
    created = client.put(f"{URL}/by-sku/New-1", json={"name": "New"})
    assert (created.status_code, created.json["sku"]) == (201, "New-1")
    changed = client.put(f"{URL}/by-sku/NEW-1", json={"price": 3})
    assert (changed.status_code, changed.json["sku"], changed.json["version"]) == (200, "New-1", 2)


@pytest.mark.parametrize(
    ("sku", "body", "field"),
    [
        ("x", {"price": 3}, "name"),
        ("x" * 101, {"name": "X"}, "sku"),
        ("%20", {"name": "X"}, "sku"),
        ("x", {"name": "X", "sku": "y"}, "sku"),
        ("a%00b", {"name": "X"}, "sku"),
    ],
)
def test_put_by_sku_names_what_is_wrong(client, sku, body, field):
    answer = client.put(f"{URL}/by-sku/{sku}", json=body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)


def test_put_by_sku_with_if_match_never_creates(client):
    answer = client.put(f"{URL}/by-sku/none", json={"name": "X"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 404


def test_stats_count_active_and_inactive(client):
    create(client)
    create(client, active=False)
    assert client.get(f"{URL}/stats").json == {"total": 2, "active": 1, "inactive": 1}


def test_the_longest_values_fit(client):
    fields = {
        "sku": "s" * 100,
        "name": "n" * 255,
        "category": "c" * 100,
        "image": "https://x/" + "i" * 490,
        "price": 9_999_999_999.99,
        "stock_quantity": 2**31 - 1,
        "description": "d" * 100_000,
    }
    body = create(client, **fields).json
    assert {name: body[name] for name in fields} == fields
