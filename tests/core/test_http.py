"""Hostile JSON, headers and addresses: each gets a clear problem answer."""

import time
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from catalog.errors import BadRequest
from catalog.strictjson import parse_json

PRODUCTS = "/api/v1/products"


def post(client: FlaskClient, body: bytes | str, content_type: str = "application/json"):
    return client.post(PRODUCTS, data=body, content_type=content_type)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b'{"name": "x", "price": NaN}', "NaN"),
        (b'{"name": "x", "price": Infinity}', "Infinity"),
        (b'{"name": "x", "name": "y"}', "occurs twice"),
        (b'{"name": ' + b"9" * 5_000 + b"}", "not valid JSON"),
        (b'{"name": "\\ud800"}', "UTF-8"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": "x"', "not valid JSON: Expecting"),
        (b"[" * 40 + b"]" * 39, "brackets do not match"),
        (b'{"name" "x"}', "not valid JSON"),
        (b"", "not valid JSON"),
    ],
    ids=["deep list", "deep object", "NaN", "Infinity", "doubled key", "5000 digits", "surrogate", "latin-1",
         "cut", "cut list", "no colon", "empty"],
)  # fmt: skip
def test_a_body_that_is_no_good_json_is_refused_with_the_reason(client, body, reason):
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "bad_request"
    assert reason in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"name": "x", "price": 1e400}', "price"),
        (b'{"name": "x", "price": 1e-400}', "price"),
        (b'{"name": "x", "price": -0.0}', "price"),
        (b'{"name": "x", "price": 10000000000}', "price"),
        (b'{"name": "x", "price": 1.999}', "price"),
        (b'{"name": "x", "price": "5"}', "price"),
        (b'{"name": "x", "price": true}', "price"),
        (b'{"name": "x\\u0000y"}', "name"),
        (b'{"name": "   "}', "name"),
        (b'{"name": 5}', "name"),
        (b'{"name": "x", "sku": "   "}', "sku"),
        (b'{"name": "x", "active": "yes"}', "active"),
        (b'{"name": "x", "active": 1}', "active"),
        (b'{"name": "x", "stock_quantity": "5"}', "stock_quantity"),
        (b'{"name": "x", "stock_quantity": 2147483648}', "stock_quantity"),
        (b'{"name": "x", "stock_quantity": 1.5}', "stock_quantity"),
        (b'{"name": "x", "stock_quantity": true}', "stock_quantity"),
        (b'{"name": "x", "image": "javascript:alert(1)"}', "image"),
        (b'{"name": "x", "rating": {"rate": 5.1, "count": 1}}', "rating.rate"),
        (b'{"name": "x", "unknown": 1}', "unknown"),
        (b'{"name": "x", "id": "1"}', "id"),
        (b"[]", "body"),
        (b'"name"', "body"),
        (b"null", "body"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(client, body, field):
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json["detail"] == "Validation error"
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_numbers_with_a_fraction_stay_exact():
    assert parse_json(b'{"price": 0.1}') == {"price": Decimal("0.1")}


def test_brackets_within_strings_are_not_depth():
    assert parse_json(b'{"a": "' + b"[" * 50 + b'\\"["}') == {"a": "[" * 50 + '"['}


def test_thirty_two_levels_are_allowed_and_thirty_three_are_not():
    assert parse_json(b"[" * 32 + b"]" * 32)
    with pytest.raises(BadRequest):
        parse_json(b"[" * 33 + b"]" * 33)


@pytest.mark.parametrize("body", [b"[" * 999_999, b"[]" * 499_999, b'"\\' * 499_999, b'{"a":' * 199_999])
def test_a_hostile_body_of_a_megabyte_is_refused_within_50_milliseconds(body):
    quickest = min(_seconds_to_refuse(body) for _ in range(3))
    assert quickest < 0.05


def _seconds_to_refuse(body: bytes) -> float:
    started = time.thread_time()  # our own work, however busy the machine is
    with pytest.raises(BadRequest):
        parse_json(body)
    return time.thread_time() - started


def test_a_body_over_a_megabyte_is_413(client):
    answer = post(client, b'{"name": "' + b"x" * 1_000_000 + b'"}')
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_a_body_of_another_type_is_415(client):
    answer = post(client, b"name=x", "application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_without_any_body_is_refused_and_not_taken_for_one_of_nothing(client, method):
    address = client.post(PRODUCTS, json={"name": "x"}).headers["Location"]
    for answer in (getattr(client, method)(address), getattr(client, method)(address, headers={"Content-Length": "0"})):
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert getattr(client, method)(address, json={}).status_code == 200


def test_a_wrong_method_is_405_with_the_allowed_ones(client):
    answer = client.put(PRODUCTS)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert answer.json["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/products/17", "/api/v1/products/not-a-uuid"])
def test_an_address_that_is_none_is_404(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/products/", "/api/v1/products/stats/", "/health/"])
def test_a_trailing_slash_is_optional_and_no_redirect(client, path):
    assert client.get(path).status_code == 200


def test_a_sane_request_id_is_kept_and_another_replaced(client):
    assert client.get("/health/live", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    made = client.get("/health/live", headers={"X-Request-ID": "x" * 65}).headers["X-Request-ID"]
    assert len(made) == 32


def test_an_unexpected_error_says_nothing_but_the_request_id(client, app, monkeypatch, caplog):
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("catalog.products.service.stats", broken)
    answer = client.get(f"{PRODUCTS}/stats")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text
