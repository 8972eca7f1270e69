"""Query parameters that an operation does not take are rejected, and never ignored."""

import io
import re
import uuid

import pytest

from catalog.access import BY_FIELD, PUBLIC, is_read, needed

PRODUCTS = "/api/v1/products"
TAKE_ANY = ("/events", f"{PRODUCTS}/<uuid:product_id>")  # reads, to which browsers and caches add
SAMPLES = {"uuid": str(uuid.UUID(int=7)), "int": "7", "path": "x", "string": "x", "default": "x"}


def operations(app):
    """Return (method, path) of each operation that needs a scope."""
    for rule in app.url_map.iter_rules():
        for method in sorted(set(rule.methods) - {"HEAD", "OPTIONS"}):
            scope = needed(app, rule.endpoint, method)
            is_page = is_read({"methods": [method]}) and not rule.rule.startswith("/api/")
            if (
                scope not in (PUBLIC, BY_FIELD)
                and not is_page
                and not (method == "GET" and rule.rule.endswith(TAKE_ANY))
            ):
                yield method, path_of(rule)


def path_of(rule) -> str:
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES[found[1] or "default"], rule.rule)


def test_every_operation_rejects_a_parameter_that_it_does_not_know(app, client):
    found = list(operations(app))
    assert len(found) > 80
    taken = []
    for method, path in found:
        answer = client.open(f"{path}?no_such_parameter=1", method=method, json={})
        names = [error["field"] for error in (answer.json or {}).get("errors", [])] if answer.is_json else []
        if answer.status_code != 400 or "no_such_parameter" not in names:
            taken.append((method, path, answer.status_code))
    assert [one for one in taken if not one[1].startswith("/console")] == []
    assert {one[2] for one in taken} <= {403}  # of the console's changes, which no page of ours asked for


@pytest.mark.parametrize(
    "option", ["dry_run=true", "mode=create_only", "on_error=abort", "empty=clear", "sheet=x", "dry_run"]
)
def test_options_of_an_upload_in_the_query_are_no_import(client, option):
    data = {"file": (io.BytesIO(b"sku,name\nDRY1,x\n"), "p.csv")}
    answer = client.post(f"{PRODUCTS}/upload?{option}", data=data, content_type="multipart/form-data")
    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert (error["field"], error["code"]) == (option.partition("=")[0], "unknown_field")
    assert "Send fields in the body." in error["message"]
    assert client.get("/api/v1/imports").json["total"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{PRODUCTS}?dry_run=true", {"sku": "Q", "name": "x"}),
        (f"{PRODUCTS}/bulk?dry_run=true", {"items": [{"sku": "Q", "name": "x"}]}),
    ],
)
def test_a_write_with_a_query_changes_nothing(client, path, body):
    assert client.post(path, json=body).status_code == 400
    assert client.get(f"{PRODUCTS}/by-sku/Q").status_code == 404


def test_an_order_with_a_query_is_rejected_and_a_cached_product_is_read_with_any(client):
    made = client.post(PRODUCTS, json={"sku": "Q", "name": "x"}).json
    for _ in range(3):
        assert client.get(f"{PRODUCTS}/{made['id']}").status_code == 200
    assert client.get(f"{PRODUCTS}/{made['id']}?x=1").status_code == 200
    assert client.put(f"{PRODUCTS}/{made['id']}?x=1", json={"name": "y"}).status_code == 400
    assert client.post("/api/v1/orders?dry_run=true", json={}).json["errors"][0]["field"] == "dry_run"


def test_a_query_without_a_parameter_is_none(client):
    assert client.get(f"{PRODUCTS}/stats?").status_code == 200
