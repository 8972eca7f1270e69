"""How a key is sent, what is said to who has none, and the open service."""

import pytest
import requests

from catalog.app import create_app
from catalog.products import service as products
from tests.auth.conftest import bearer
from tests.orders.conftest import body

URL = "/api/v1/transforms"


def test_a_key_is_sent_in_either_header_whatever_the_case_of_the_scheme(outside, new_key):
    key = new_key("imports")
    for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": f"bearer {key}"}):
        assert outside.get(URL, headers=headers).status_code == 200
    assert outside.get(URL, headers={"Authorization": key}).status_code == 401
    assert outside.get(URL, headers={**bearer("hunter2"), "X-API-Key": key}).status_code == 401


def test_401_says_how_to_ask(outside):
    answer = outside.get(URL)
    assert (answer.status_code, answer.mimetype, answer.json["code"]) == (
        401,
        "application/problem+json",
        "unauthorized",
    )
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="catalog"'
    assert all(part in answer.json["detail"] for part in ("Authorization: Bearer", "X-API-Key", "keys create"))
    assert outside.get(URL, headers=bearer("no")).headers["WWW-Authenticate"].endswith('error="invalid_token"')


def test_403_says_which_scope(outside, new_key):
    answer = outside.get(URL, headers=bearer(new_key("tasks")))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "`imports`" in answer.json["detail"]
    assert 'scope="imports"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("address", ["/api/v1/products?key={}", "/?{}", "/nothing/{}", "/api/v1/products/by-sku/{}"])
@pytest.mark.parametrize("spelled", [str, lambda key: key.replace("_", "%5F"), lambda key: key.replace("cat", "%63at")])
def test_a_key_in_the_url_is_refused_wherever_it_stands(outside, new_key, address, spelled):
    key = new_key("products:read")
    answer = outside.get(address.format(spelled(key)), headers=bearer(key))
    assert answer.status_code == 400
    assert "revoke" in answer.json["detail"]


def test_what_only_looks_like_the_start_of_a_key_is_no_key(client):
    assert client.get("/api/v1/products/by-sku/cat_live_lamp").status_code == 404
    assert client.get("/api/v1/products?search=cat_live_lamp").status_code == 200


# The open service


@pytest.fixture
def opened(committed):
    return committed.test_client()


def test_the_open_service_asks_for_no_key_but_checks_one_that_is_sent(committed, opened):
    made = opened.post("/api/v1/keys", json={"name": "Trying", "scopes": ["imports"]}).json
    assert opened.get(URL).status_code == 200
    assert opened.get(URL, headers=bearer(made["key"])).status_code == 200
    assert opened.get(URL, headers=bearer("hunter2")).status_code == 401
    assert opened.get("/api/v1/tasks", headers=bearer(made["key"])).status_code == 403
    assert opened.post("/graphql", json={"query": "{ tasks { total } }"}).status_code == 200
    denied = opened.post("/graphql", json={"query": "{ tasks { total } }"}, headers=bearer(made["key"]))
    assert denied.status_code == 403


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("127.8.0.1", 200), ("::1", 200)])
def test_the_open_service_is_open_to_this_machine(opened, address, status):
    assert opened.get(URL, environ_base={"REMOTE_ADDR": address}).status_code == status


@pytest.mark.parametrize("address", ["10.0.0.7", "172.17.0.1", "2001:db8::1", "", "1270.0.0.1"])
def test_the_open_service_is_closed_to_others_however_they_got_there(opened, address):
    assert opened.get(URL, environ_base={"REMOTE_ADDR": address}).status_code == 401


def test_a_port_that_is_published_on_loopback_alone_may_be_open_to_the_containers_bridge(environment, monkeypatch):
    monkeypatch.setenv("PUBLISHED_ON_LOOPBACK", "true")
    monkeypatch.setenv("HOST", "0.0.0.0")
    client = create_app().test_client()
    assert client.get(URL, environ_base={"REMOTE_ADDR": "172.17.0.1"}).status_code == 200


def test_a_browser_gets_graphiql_from_the_open_service_alone(opened, outside, new_key):
    browser = {"Accept": "text/html"}
    assert opened.get("/graphql", headers=browser).mimetype == "text/html"
    assert outside.get("/graphql", headers=browser).status_code == 401
    assert outside.get("/graphql", headers=browser | bearer(new_key("admin"))).status_code == 400


GRAPHIQL = (
    *("/static/vendor/graphiql-3.8.3/graphiql.js", "/static/vendor/react-18.2.0/react.js"),
    *("/static/vendor/react-dom-18.2.0/react-dom.js", "/static/vendor/plugin-explorer-1.0.2/explorer.css"),
    *("/static/x/../vendor/graphiql-3.8.3/graphiql.js", "/static/vendor/./react-18.2.0/react.js"),
    *("/graphql/static/graphiql.js", "/graphql/static/examples.json"),
)


@pytest.mark.parametrize("path", GRAPHIQL)
def test_the_files_of_graphiql_are_there_while_the_service_is_open_alone(opened, outside, path):
    assert opened.get(path, buffered=True).status_code == 200
    assert outside.get(path, buffered=True).status_code == 404


def test_the_files_of_other_pages_are_there_in_production(outside):
    for path in ("/static/vendor/swagger-ui-dist-5.35.0/swagger-ui.js", "/api/static/docs.css"):
        assert outside.get(path, buffered=True).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "delete"])
@pytest.mark.parametrize("key_id", ["%00", "a%00b", "%FF", "x" * 5_000])
def test_an_id_that_no_key_can_have_is_not_found(opened, method, key_id):
    options = {"json": {"name": "x"}} if method == "put" else {}
    assert getattr(opened, method)(f"/api/v1/keys/{key_id}", **options).status_code == 404
    assert opened.post(f"/api/v1/keys/{key_id}/rotate").status_code == 404


# What is answered before Flask


@pytest.fixture
def url(production, production_url):
    return production_url


@pytest.mark.processes
def test_the_hot_path_of_reads_asks_too(url, production, new_key):
    with production.app_context():
        path = f"{url}/api/v1/products/{products.create({'name': 'Lamp'}).id}"
    good, wrong = bearer(new_key("products:read")), bearer(new_key("products:write"))
    outcomes = [requests.get(path, headers=good, timeout=5).headers["X-Cache"] for _ in range(3)]
    assert outcomes == ["MISS", "HIT", "HIT"]
    for headers, status in (({}, 401), (bearer("no"), 401), (wrong, 403), (good, 200)):
        answer = requests.get(path, headers=headers, timeout=5)
        assert (answer.status_code, "X-Cache" in answer.headers) == (status, status == 200)
    key = good["Authorization"].partition(" ")[2]
    assert requests.get(f"{path}?key={key}", headers=good, timeout=5).status_code == 400


@pytest.mark.processes
def test_the_hot_path_of_orders_asks_too(url, new_key, production):
    good = bearer(new_key("orders"))
    for number, (headers, status) in enumerate((({}, 401), (bearer(new_key("tasks")), 403), (good, 202)), start=1):
        assert (
            requests.post(f"{url}/api/v1/orders", json=body(number), headers=headers, timeout=5).status_code == status
        )
    assert [each["id"] for each in requests.get(f"{url}/api/v1/orders", headers=good, timeout=5).json()["items"]] == [3]
