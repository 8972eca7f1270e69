"""REST over orders, as its clients see it."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog import jobqueue
from catalog.orders import service
from tests.factories import make_product
from tests.orders.conftest import body

URL = "/api/v1/orders"


@pytest.fixture(autouse=True)
def in_context(context):
    """For the calls of services."""


def submit(client, *args, **fields):
    answer = client.post(URL, json=body(*args, **fields))
    assert answer.status_code == 202, answer.text
    return answer.json


def test_an_order_is_kept_and_queued_when_it_is_answered(client):
    answer = client.post(f"{URL}/", json=body())
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{URL}/123"
    assert list(answer.json) == [
        "id",
        "customer",
        "status",
        "items",
        "total",
        "hash",
        "submitted_at",
        "created_at",
        "processed_at",
        "error",
        "attempts",
        "next_attempt_at",
    ]
    assert (answer.json["id"], answer.json["status"], answer.json["total"]) == (123, "queued", None)
    assert client.get(answer.headers["Location"]).json == answer.json


def test_a_submitted_order_rings_once_until_somebody_hears_it(client, app):
    for order_id in (1, 2, 3):
        submit(client, order_id)
    assert jobqueue.queue("orders").count == 1
    service.process()
    submit(client, 4)
    assert jobqueue.queue("orders").count == 2


def test_the_same_content_again_is_the_same_order_also_when_it_is_written_another_way(client):
    first = submit(client)
    items = [{"unit_price": 10.0, "quantity": 3, "sku": " P001 "}]
    assert submit(client, items=items, submitted_at="2026-01-05T11:00:00+01:00") == first
    make_product(sku="p001")
    service.process()
    assert submit(client)["status"] == "processed"
    assert client.get(URL).json["total"] == 1


def test_other_content_under_the_same_id_is_409_and_names_each_difference(client):
    submit(client, 123, "P001", "P002")
    items = [{"sku": "P001", "quantity": 4, "unit_price": 10}]
    answer = client.post(URL, json=body(customer="Other", items=items))
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert {(each["field"], each["message"]) for each in answer.json["errors"]} == {
        ("customer", 'Is "ACME Corp" in the order that is kept.'),
        ("items.0.quantity", "Is 3 in the order that is kept."),
        ("items.1.sku", 'Is "P002" in the order that is kept.'),
        ("items.1.quantity", "Is 3 in the order that is kept."),
        ("items.1.unit_price", "Is 10.0000 in the order that is kept."),
    }
    assert client.get(f"{URL}/123").json["customer"] == "ACME Corp"


def test_the_differences_are_named_after_processing_too(client):
    make_product(sku="P001")
    submit(client)
    service.process()
    answer = client.post(URL, json=body(submitted_at="2026-01-05T10:00:01Z"))
    assert answer.json["errors"] == [
        {
            "field": "submitted_at",
            "message": "Is 2026-01-05T10:00:00.000000Z in the order that is kept.",
            "code": "differs",
        }
    ]


ITEM = {"sku": "P001", "quantity": 3, "unit_price": 10}
AHEAD = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
WRONG = {
    "no id": ({"id": None}, "id"),
    "an id of zero": ({"id": 0}, "id"),
    "an id of text": ({"id": "1"}, "id"),
    "an id that is true": ({"id": True}, "id"),
    "an id beyond JSON's integers": ({"id": 2**53}, "id"),
    "no customer": ({"customer": ""}, "customer"),
    "a blank customer": ({"customer": " "}, "customer"),
    "a long customer": ({"customer": "x" * 256}, "customer"),
    "a customer with NUL": ({"customer": "a\0"}, "customer"),
    "no items": ({"items": []}, "items"),
    "items that are no list": ({"items": {"0": ITEM}}, "items"),
    "201 items": ({"items": [ITEM] * 201}, "items"),
    "an item that is no object": ({"items": [ITEM, 3]}, "items.1"),
    "quantity 0": ({"items": [ITEM, ITEM, ITEM, {**ITEM, "quantity": 0}]}, "items.3.quantity"),
    "quantity over a million": ({"items": [{**ITEM, "quantity": 1_000_001}]}, "items.0.quantity"),
    "quantity 1.5": ({"items": [{**ITEM, "quantity": 1.5}]}, "items.0.quantity"),
    "a price below zero": ({"items": [{**ITEM, "unit_price": -0.01}]}, "items.0.unit_price"),
    "a price with five decimals": ({"items": [{**ITEM, "unit_price": 0.00001}]}, "items.0.unit_price"),
    "a price of text": ({"items": [{**ITEM, "unit_price": "10"}]}, "items.0.unit_price"),
    "a price of 1e400": ({"items": [{**ITEM, "unit_price": 10**400}]}, "items.0.unit_price"),
    "a blank sku": ({"items": [{**ITEM, "sku": "  "}]}, "items.0.sku"),
    "a long sku": ({"items": [{**ITEM, "sku": "x" * 101}]}, "items.0.sku"),
    "an item without price": ({"items": [{"sku": "P001", "quantity": 3}]}, "items.0.unit_price"),
    "an unknown field": ({"items": [{**ITEM, "colour": "red"}]}, "items.0.colour"),
    "an unknown field of the order": ({"status": "processed"}, "status"),
    "a time without offset": ({"submitted_at": "2026-01-05T10:00:00"}, "submitted_at"),
    "a time an hour ahead": ({"submitted_at": AHEAD}, "submitted_at"),
    "no time": ({"submitted_at": None}, "submitted_at"),
    "a total that JSON cannot hold": ({"items": [{**ITEM, "unit_price": 9_999_999_999, "quantity": 11}]}, "items"),
}


@pytest.mark.parametrize(("fields", "field"), WRONG.values(), ids=WRONG.keys())
def test_what_breaks_a_rule_is_400_and_named(client, fields, field):
    answer = client.post(URL, json=body(**fields))
    assert (answer.status_code, answer.json["detail"]) == (400, "Validation error")
    assert {each["field"] for each in answer.json["errors"]} == {field}
    assert client.get(URL).json["total"] == 0


def test_the_limits_themselves_are_allowed(client):
    soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    items = [{"sku": "x" * 100, "quantity": 1_000_000, "unit_price": 0.0001}] * 200
    order = submit(client, 2**53 - 1, customer="x" * 255, items=items, submitted_at=soon)
    assert order["items"][199]["unit_price"] == 0.0001
    assert submit(client, 1, items=[{"sku": "x", "quantity": 1, "unit_price": 0}])["items"][0]["unit_price"] == 0


def test_an_order_that_there_is_not_is_404(client):
    for order_id in (7, 10**30):
        assert client.get(f"{URL}/{order_id}").status_code == 404
        assert client.post(f"{URL}/{order_id}/retry").status_code == 404


def test_the_list_is_filtered_by_status_and_customer(client):
    make_product(sku="P001")
    submit(client, 1)
    submit(client, 2, "NOBODY")
    service.process()
    submit(client, 3, customer="Émile & Co")

    def ids(**query):
        return [order["id"] for order in client.get(URL, query_string=query).json["items"]]

    assert ids() == [3, 2, 1]
    assert [ids(status=status) for status in ("queued", "processing", "processed", "failed")] == [[3], [], [1], [2]]
    assert ids(customer="acme corp") == [2, 1]
    assert ids(customer="émile & co", status="queued") == [3]
    assert ids(customer="acme") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_by_cursor_and_by_offset_hold_every_order_once(client, limit):
    for order_id in (5, 3, 7, 1, 6, 2, 4):
        submit(client, order_id)
    by_cursor, by_offset, query = [], [], {"limit": limit}
    while True:
        page = client.get(URL, query_string=query).json
        by_cursor += page["items"]
        by_offset += client.get(URL, query_string={"limit": limit, "offset": len(by_offset)}).json["items"]
        assert (page["total"], page["limit"], page["has_more"]) == (7, limit, page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert [order["id"] for order in by_cursor] == [4, 2, 6, 1, 7, 3, 5]
    assert by_offset == by_cursor


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "offset=-1",
        f"offset={10**30}",
        "cursor=x",
        f"cursor={2**63}",
        "status=done",
        "customer=",
        "colour=red",
    ],
)
def test_a_filter_that_cannot_be_is_400_and_named(client, query):
    answer = client.get(f"{URL}?{query}")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, query.partition("=")[0])


def test_a_failed_order_is_retried_by_hand_and_a_processed_one_is_not(client):
    submit(client, 1, "P001")
    service.process()
    assert client.get(f"{URL}/1").json["status"] == "failed"
    make_product(sku="P001")
    answer = client.post(f"{URL}/1/retry")
    assert (answer.status_code, answer.json["status"], answer.json["error"]) == (202, "queued", None)
    service.process()
    assert client.get(f"{URL}/1").json["status"] == "processed"
    answer = client.post(f"{URL}/1/retry")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "processed" in answer.json["detail"]
