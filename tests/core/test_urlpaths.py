"""Parameters in paths: what was encoded is data, also a slash, a line feed or a dot, wherever it stands."""

import io
from urllib.parse import quote

import pytest
from flask import Flask, url_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import urlpaths

PRODUCTS = "/api/v1/products"
SKUS = [
    "A/",
    "A//",
    "/A",
    "//",
    "/",
    "a/b",
    "a//b",
    "a\nb",
    "a\rb",
    ".",
    "..",
    "../A",
    "%2F",
    "A%2F",
    "%",
    "%25",
    "a b",
    "é/",
    "?",
    "#",
]


def by_sku(sku: str) -> str:
    return f"{PRODUCTS}/by-sku/{quote(sku, safe='')}"


@pytest.mark.parametrize("sku", SKUS)
def test_a_sku_is_read_and_changed_by_its_own_path_and_no_other_product_is(client, sku):
    for other in ("A", "a", "NEW"):
        client.post(PRODUCTS, json={"sku": other, "name": "other"})
    made = client.put(by_sku(sku), json={"name": "first"})
    assert (made.status_code, made.json["sku"]) == (201, sku)
    assert client.put(by_sku(sku), json={"name": "second", "price": 9}).status_code == 200
    assert client.get(by_sku(sku)).json["name"] == "second"
    assert {client.get(by_sku(other)).json["name"] for other in ("A", "NEW")} == {"other"}


@pytest.mark.parametrize("end", ["%0A", "%0D%0A", "%20", "%09", "/", "//", "%20/"])
def test_space_around_a_sku_and_literal_slashes_after_it_are_dropped_for_reading_and_writing_alike(client, end):
    client.post(PRODUCTS, json={"sku": "A", "name": "first"})
    assert client.get(f"{PRODUCTS}/by-sku/A{end}").json["sku"] == "A"
    assert client.put(f"{PRODUCTS}/by-sku/A{end}", json={"name": "second"}).status_code == 200
    assert client.get(f"{PRODUCTS}/by-sku/A").json["name"] == "second"


@pytest.mark.parametrize("path", ["", "/", "//", "/%20", "/%0A", "//A"])
def test_no_sku_is_no_product(client, path):
    assert client.get(f"{PRODUCTS}/by-sku{path}").status_code == 404
    assert client.put(f"{PRODUCTS}/by-sku{path}", json={"name": "x"}).status_code in (400, 404, 405)


@pytest.mark.parametrize("path", ["//health/live", "///health/live", "//console/overview", "//static/pages.css", "//x"])
def test_slashes_before_a_path_make_it_another_path(client, path):
    raw = {"PATH_INFO": path, "RAW_URI": path, "REQUEST_URI": path}
    assert client.get("/", environ_overrides=raw).status_code == 404


def test_slashes_within_a_sku_need_no_encoding(client):
    client.post(PRODUCTS, json={"sku": "a/b", "name": "x"})
    assert client.get(f"{PRODUCTS}/by-sku/a/b/").json["sku"] == "a/b"


@pytest.mark.parametrize("name", ["a%2Fb", "%2F", "a%0Ab", "x%0A", "50%25", "%252F", "."])
def test_a_name_that_cannot_be_is_not_found(client, name):
    for path in (f"/api/v1/imports/mappings/{name}", f"/api/v1/keys/{name}", f"/api/v1/jobs/{name}"):
        assert client.get(path).status_code == 404, path
        assert client.delete(path).status_code in (404, 405), path
    assert client.post(f"/api/v1/transforms/{name}", json={"arguments": []}).status_code == 404


@pytest.fixture(scope="module")
def bare() -> Flask:
    """An application that answers with its parameters."""
    app = Flask("bare")
    urlpaths.configure(app)
    app.add_url_rule("/one/<value>/end", "one", lambda value: {"value": value})
    app.add_url_rule("/rest/<path:value>", "rest", lambda value: {"value": value})
    return app


VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_every_parameter_comes_as_it_was_encoded(bare, value):
    client = bare.test_client()
    encoded = quote(value, safe="")
    assert client.get(f"/one/{encoded}/end").json == {"value": value}
    assert client.get(f"/rest/{encoded}/").json == {"value": value}
    with bare.test_request_context():
        assert client.get(url_for("one", value=value)).json == {"value": value}


@pytest.mark.parametrize("sent", ["/rest/A%2f?x=%2F", "http://localhost/rest/A%2F", "/under/rest/A%2F"])
def test_the_path_is_found_in_any_request_line(bare, sent):
    script = "/under" if sent.startswith("/under") else ""
    assert answered(bare, {"RAW_URI": sent, "PATH_INFO": "/rest/A/", "SCRIPT_NAME": script}) == "A/"


@pytest.mark.parametrize("sent", [None, "/rest/other", "/rest/%252F"])
def test_without_the_request_line_of_the_same_path_nothing_is_decoded_twice(bare, sent):
    assert answered(bare, {"RAW_URI": sent, "PATH_INFO": "/rest/a%2Fb\nc/"}) == "a%2Fb\nc"


def answered(bare: Flask, changes: dict[str, str | None]) -> str:
    environ = bare.test_request_context("/").request.environ
    environ |= {name: value for name, value in changes.items() if value is not None}
    if changes["RAW_URI"] is None:
        del environ["RAW_URI"], environ["REQUEST_URI"]
    environ["wsgi.errors"] = io.StringIO()
    seen: list[str] = []
    body = b"".join(bare.wsgi_app(environ, lambda status, _headers, _info=None: seen.append(status)))
    assert seen == ["200 OK"]
    return bare.json.loads(body)["value"]
