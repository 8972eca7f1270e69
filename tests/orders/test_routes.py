"""REST over orders, as its clients see it."""

import pytest

URL = "/api/v1/orders"


def body(**fields):
    items = [{"sku": "P001", "quantity": 3, "unit_price": 10}]
    return {"id": 123, "customer": "ACME Corp", "items": items, "submitted_at": "2026-01-05T10:00:00Z", **fields}


def test_an_order_is_kept_and_queued_when_it_is_answered(client):
    answer = client.post(f"{URL}/", json=body())
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{URL}/123"
    assert (answer.json["id"], answer.json["status"], answer.json["total"]) == (123, "queued", None)
    assert client.get(answer.headers["Location"]).json == answer.json
