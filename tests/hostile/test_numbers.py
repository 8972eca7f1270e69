"""Numbers that JSON can write and arithmetic cannot hold: refused or taken wherever JSON is read, never a 500."""

from decimal import Decimal

import pytest

from catalog.errors import BadRequest
from catalog.strictjson import parse_json
from catalog.transforms import service as transforms
from tests.hugenumbers import NUMBERS, REFUSED

ORDER = '{"id": %s, "customer": "c", "items": [{"sku": "x", "quantity": %s, "unit_price": %s}], "submitted_at": %s}'
WHEN = '"2026-01-01T00:00:00Z"'

# The method, the path and the body, in which each %s is the number.
PLACES = {
    "price": ("POST", "/api/v1/products", '{"name": "n", "price": %s}'),
    "stock": ("POST", "/api/v1/products", '{"name": "n", "stock_quantity": %s}'),
    "rating": ("POST", "/api/v1/products", '{"name": "n", "rating": {"rate": %s, "count": %s}}'),
    "name": ("POST", "/api/v1/products", '{"name": %s}'),
    "shop": ("POST", "/products", '{"name": "n", "price": %s}'),
    "bulk": ("POST", "/api/v1/products/bulk", '{"items": [{"sku": "D", "name": "d", "price": %s}]}'),
    "order": ("POST", "/api/v1/orders", ORDER.replace("%s", "%s", 3) % ("%s", "%s", "%s", WHEN)),
    "order's price": ("POST", "/api/v1/orders", ORDER % (7, 1, "%s", WHEN)),
    "order's time": ("POST", "/api/v1/orders", ORDER % (7, 1, 1, "%s")),
    "webhook": ("POST", "/api/v1/webhooks", '{"url": "http://127.0.0.1:9/", "events": ["*"], "timeout_seconds": %s}'),
    "mapping": ("POST", "/api/v1/imports/mappings", '{"name": "m", "mapping": {"a": ["sku", ["truncate", %s]]}}'),
    "mapping's field": ("POST", "/api/v1/imports/mappings", '{"name": "m", "mapping": {"a": %s}}'),
    "header": ("POST", "/api/v1/imports/suggested-mapping", '{"header": [%s]}'),
    "task": ("POST", "/api/v1/tasks", '{"title": %s}'),
    "page of GraphQL": (
        "POST",
        "/graphql",
        '{"query": "query($a: Int) {products(first: $a) {totalCount}}", "variables": {"a": %s}}',
    ),
    "variable of GraphQL": (
        "POST",
        "/graphql",
        '{"query": "mutation($a: Float!) {createProductSync(title: \\"x\\", price: $a) {product {id}}}",'
        ' "variables": {"a": %s}}',
    ),
    "literal of GraphQL": (
        "POST",
        "/graphql",
        '{"query": "mutation {createProductSync(title: \\"x\\", price: %s) {product {id}}}"}',
    ),
}
PLACES |= {
    f"transform {each.name}": ("POST", f"/api/v1/transforms/{each.name}", '{"arguments": [%s, %s]}')
    for each in transforms.listing()
}
PLACES["table of map_values"] = ("POST", "/api/v1/transforms/map_values", '{"arguments": ["a", "{\\"a\\": %s}"]}')


@pytest.mark.parametrize("place", PLACES)
def test_a_number_is_answered_wherever_json_is_read(client, place):
    method, path, body = PLACES[place]
    for name, number in NUMBERS.items():
        answer = client.open(path, method=method, data=body.replace("%s", number), content_type="application/json")
        assert answer.status_code < 500, (name, answer.text[:300])
        assert "internal_error" not in answer.text, (name, answer.text[:300])


@pytest.mark.parametrize("place", [place for place in PLACES if "GraphQL" in place])
def test_graphql_takes_an_honest_number_there(client, place):
    method, path, body = PLACES[place]
    answer = client.open(path, method=method, data=body.replace("%s", "5"), content_type="application/json")
    assert "errors" not in answer.json, answer.text


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_answered_in_a_query(client, name):
    for parameter in ("min_price", "max_price", "limit", "offset"):
        answer = client.get("/api/v1/products", query_string={parameter: NUMBERS[name][:6_000]})
        assert answer.status_code < 500, (parameter, answer.text[:300])


@pytest.mark.parametrize("name", REFUSED)
def test_a_number_that_no_arithmetic_holds_is_no_json(name):
    with pytest.raises(BadRequest, match=r"exponent|digits"):
        parse_json(f'{{"a": {NUMBERS[name]}}}'.encode())


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in REFUSED])
def test_every_other_number_is_exact(name):
    assert parse_json(NUMBERS[name].encode()) == Decimal(NUMBERS[name])
