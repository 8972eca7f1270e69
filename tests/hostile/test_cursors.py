"""Forged cursors: each list rejects one that it did not issue, or continues from a row, and never responds with 500."""

import base64
import json
import uuid

import pytest

from catalog.products.schemas import SORTS

ID = str(uuid.UUID(int=7))
HUGE = "9" * 4_400
VALUES = [
    *("x\0y", "\ud800", "a" * 3_000, "", None, True, [], {}, [1], 1, -1, 2**31, 2**63, 10**30, 10**400, 1.5, -0.0),
    *("NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e-400", "1e99999999999999999999", HUGE, "-1", "0x10", "1_000"),
    *("\uff11", " 1 ", "1e5", "2020-01-01", "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+14:00"),
    *("2020-01-01T00:00:00+99:99", ID, f"{{{ID}}}", f"urn:uuid:{ID}", "1.999", "\U0010ffff" * 100, "%", "'", "\\"),
]
RAW = {
    "nothing": b"",
    "cut off": b"[",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "an object": b"{}",
    "three numbers": b"[1,2,3]",
    "one": b'["a"]',
    "four": b'["a","b","c","d"]',
    "deep": b"[" * 5_000,
    "deep and closed": b"[" * 900 + b"]" * 900,
    "no UTF-8": b"\xff\xfe",
}
VALUES_OF_A_SORT = ["1e999", "-1e999", "NaN", "Infinity", "9" * 4_000, "1e9999999999999999999", '{"a": 1, "a": 2}']
PAGES = ["/api/v1/tasks", "/api/v1/orders", "/api/v1/audit", "/api/v1/webhooks/{webhook}/logs"]
PAGES += ["/api/v1/webhooks/{webhook}/deliveries", "/api/v1/products", "/api/v1/products/export"]
PAGES += ["/console/orders", "/console/audit", "/console/products", "/console/webhooks/deliveries", "/console/tasks"]
GRAPHQL = ["products", "tasks", "orders", "webhookLogs"]


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(value: object) -> str:
    return packed(json.dumps(value).encode("utf-8", "surrogatepass"))


def check(client, path: str, cursor: str, **query: str) -> int:
    answer = client.get(path, query_string={"cursor": cursor.encode("utf-8", "surrogatepass"), **query})
    assert answer.status_code < 500, (path, query, cursor[:200], answer.text[:300])
    return answer.status_code


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_a_forged_place_among_products_is_refused_or_a_place(client, sort):
    for value in VALUES:
        check(client, "/api/v1/products", forged([sort, value, ID]), sort=sort)
    for identity in ("x", 1, None, []):
        assert check(client, "/api/v1/products", forged([sort, "1", identity]), sort=sort) == 400
    for raw in [*RAW.values(), *(f'["{sort}", {value}, "{ID}"]'.encode() for value in VALUES_OF_A_SORT)]:
        assert check(client, "/api/v1/products", packed(raw), sort=sort) == 400


@pytest.mark.parametrize("path", PAGES)
def test_a_forged_cursor_of_any_list_is_answered(client, path):
    webhook = client.post("/api/v1/webhooks", json={"url": "http://127.0.0.1:9/", "events": ["*"]}).json["id"]
    address = path.format(webhook=webhook)
    for value in VALUES[:: 4 if "console" in path else 1]:
        check(client, address, value if isinstance(value, str) else json.dumps(value))
        for shape in ([value], [value, ID], ["-created_at", value, ID]):
            check(client, address, forged(shape))
    for raw in RAW.values():
        check(client, address, packed(raw))


@pytest.mark.parametrize("field", GRAPHQL)
def test_a_forged_cursor_in_graphql_is_answered(client, field):
    given = f', webhookId: "{ID}"' if field == "webhookLogs" else ""
    query = f"query($after: {'ID' if field == 'tasks' else 'String'}) {{{field}(after: $after{given}) {{__typename}}}}"
    for value in VALUES:
        for cursor in (value, forged(["-created_at", value, ID])):
            asked = json.dumps({"query": query, "variables": {"after": cursor}})
            answer = client.post("/graphql", data=asked, content_type="application/json")
            assert answer.status_code < 500
            assert "internal_error" not in answer.text, (cursor, answer.text[:300])


def test_a_cursor_that_was_given_out_goes_on_where_the_page_ended(client):
    for number in range(3):
        client.post("/api/v1/products", json={"name": f"é\u2028{number}", "price": 1 + number})
    for sort in SORTS:
        page = client.get(f"/api/v1/products?sort={sort}&limit=2").json
        rest = client.get("/api/v1/products", query_string={"sort": sort, "cursor": page["next_cursor"]}).json
        assert len({each["id"] for each in page["items"] + rest["items"]}) == 3
