"""Host and Origin: no site's page reaches the service by the browser of somebody who has access to it."""

import pytest
import requests

from catalog import config
from catalog.app import create_app
from catalog.hosts import RequestChecks
from tests.apps import close
from tests.auth.conftest import PRODUCTION, bearer
from tests.orders.conftest import body as order
from tests.processes import served

URL = "/api/v1/products"
EVIL = "https://evil.example"
OURS = ("localhost", "LOCALHOST:5000", "localhost.", "127.0.0.1", "127.0.0.1:5104", "127.8.0.1", "[::1]", "[::1]:5000")
FOREIGN = (
    *("evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost"),
    *("10.0.0.7", "0.0.0.0", "[::]", "[2001:db8::1]:5000", "2130706433", "127.1", "0x7f.0.0.1", "", " ", ":5000"),
    *("localhost,evil.example", "localhost evil.example", "evil.example@localhost", "localhost:5000@evil.example"),
    *(
        "localhost/",
        "localhost:evil",
        "localhost:123456",
        "[::1",
        "::1",
        "loc\u00e4lhost",
        "x" * 9000,
        "localhost..",
        "x",
    ),
)
PROBES = ("/health", "/health/live", "/health/ready")
CROSS_SITE = (
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil@localhost"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": EVIL},
    {"Sec-Fetch-Site": "none", "Origin": EVIL},
)
SAME_SITE = ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"})
WRITES = (
    ("POST", "/api/v1/products"),
    ("POST", "/api/v1/products/upload"),
    ("DELETE", "/api/v1/products/all"),
    ("POST", "/api/v1/keys"),
    ("POST", "/api/v1/orders"),
    ("POST", "/api/v1/jobs/test"),
    ("POST", "/graphql"),
    ("POST", "/api/v1/webhooks/01a1fbf7-563f-71c4-b396-24b1b4938182/rotate-secret"),
    ("POST", "/console/sign-in"),
    ("PUT", "/nowhere"),
    ("PROPFIND", "/api/v1/products"),
)


@pytest.fixture
def with_settings(environment, monkeypatch):
    """Return a function that makes an application with these settings in its environment."""
    made = []

    def make(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        made.append(create_app({"TESTING": True, "PROPAGATE_EXCEPTIONS": False}))
        return made[-1].test_client()

    yield make
    for app in made:
        close(app)


@pytest.mark.parametrize("host", OURS)
def test_the_open_service_answers_for_loopback(client, host):
    assert client.get(URL, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_the_open_service_answers_for_no_other_host(client, host):
    answer = client.get(URL, environ_overrides={"HTTP_HOST": host})
    assert (answer.status_code, answer.json["code"]) == (421, "misdirected_request")
    assert "ALLOWED_HOSTS" in answer.json["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/console/overview", "/graphql", "/api/docs", "/metrics", "/api/v1/keys"]
)
def test_no_page_is_answered_for_a_foreign_host(client, path):
    answer = client.get(path, headers={"Host": "evil.example", "Accept": "text/html"})
    assert answer.status_code == 421


def test_no_key_is_made_for_a_foreign_host(client):
    made = client.post("/api/v1/keys", json={"name": "rebound", "scopes": ["admin"]}, headers={"Host": "evil.example"})
    assert made.status_code == 421
    assert client.get("/api/v1/keys").json["total"] == 0


@pytest.mark.parametrize("path", PROBES)
def test_probes_are_answered_whatever_host_they_name(client, path):
    assert client.get(path, headers={"Host": "10.244.0.7:5000"}).status_code in (200, 503)


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("headers", CROSS_SITE)
def test_the_open_service_rejects_a_write_from_another_site(client, method, path, headers):
    answer = client.open(path, method=method, headers=headers, data="{}", content_type="text/plain")
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "another site" in answer.json["detail"]


@pytest.mark.parametrize("headers", SAME_SITE)
def test_the_open_service_takes_writes_of_programs_and_of_its_own_pages(client, headers):
    assert client.post(URL, json={"name": "Lamp"}, headers=headers).status_code == 201


def test_reads_may_come_from_anywhere_since_no_page_sees_their_answer(client):
    assert client.get(URL, headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_cors_origins_lets_the_pages_that_it_names_write(with_settings):
    client = with_settings(CORS_ORIGINS="https://shop.example.com")
    headers = {"Origin": "https://shop.example.com", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/graphql", json={"query": "{ __typename }"}, headers=headers).status_code == 200
    assert client.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": EVIL}).status_code == 403


def test_a_star_in_cors_origins_names_no_page_that_may_write_to_the_open_service(with_settings):
    client = with_settings(CORS_ORIGINS="*")
    assert client.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": EVIL}).status_code == 403


def test_the_open_service_answers_for_names_that_are_allowed(with_settings):
    client = with_settings(ALLOWED_HOSTS="catalog.test, other.test", INTERNAL_HOSTS="web,web-2")
    for host in ("catalog.test:5000", "Other.TEST", "web:5000", "web-2", "127.0.0.1"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_production_answers_for_any_host_unless_some_are_allowed(outside, with_settings):
    assert outside.get("/", headers={"Host": "evil.example"}).status_code == 200
    client = with_settings(**PRODUCTION, ALLOWED_HOSTS="catalog.example.com,[2001:db8::1]", INTERNAL_HOSTS="web")
    for host in ("catalog.example.com", "[2001:DB8::1]:443", "web:5000", "localhost"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/metrics", headers={"Host": "10.244.0.7:5000"}).status_code == 401


def test_production_takes_a_write_with_a_key_from_any_page(outside, new_key):
    headers = {**bearer(new_key("products:write")), "Origin": EVIL}
    assert outside.post(URL, json={"name": "Lamp"}, headers=headers).status_code == 201


@pytest.mark.parametrize("name", ["ALLOWED_HOSTS", "INTERNAL_HOSTS"])
@pytest.mark.parametrize("wrong", ["*", "https://a.example", "a.example:443", "a.example/", ".a.example", "a b"])
def test_what_is_no_host_is_refused_at_start(monkeypatch, name, wrong):
    monkeypatch.setenv(name, wrong)
    with pytest.raises(config.ConfigError, match=name):
        config.load()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "[::]", "192.168.1.5", "everywhere"])
def test_an_open_container_refuses_to_start_where_its_port_is_published_for_others(monkeypatch, address):
    for name, value in {"HOST": "0.0.0.0", "PUBLISHED_ON_LOOPBACK": "true", "PUBLISH_ADDRESS": address}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(config.ConfigError, match=r"PUBLISH_ADDRESS=127\.0\.0\.1"):
        config.load()
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert config.load()["PUBLISH_ADDRESS"] == address


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", ""])
def test_an_open_container_starts_where_its_port_is_published_on_loopback(monkeypatch, address):
    for name, value in {"HOST": "0.0.0.0", "PUBLISHED_ON_LOOPBACK": "true", "PUBLISH_ADDRESS": address}.items():
        monkeypatch.setenv(name, value)
    assert config.load()["PUBLISH_ADDRESS"] in (address, None)


def test_hosts_are_remembered_up_to_a_bound():
    settings = {"CATALOG_ENV": "development", "ALLOWED_HOSTS": (), "INTERNAL_HOSTS": (), "CORS_ORIGINS": ()}
    checks = RequestChecks(settings)
    for number in range(1_000):
        checks.refusal({"HTTP_HOST": f"{number}.example", "PATH_INFO": "/", "REQUEST_METHOD": "GET"})
    assert checks._is_known.cache_info().currsize == 256


@pytest.mark.processes
def test_what_is_answered_before_flask_is_checked_too(environment):
    foreign, cross_site = {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}
    with served(environment) as url:
        product = requests.post(f"{url}{URL}", json={"name": "Lamp"}, timeout=10).json()["id"]
        outcomes = [requests.get(f"{url}{URL}/{product}", timeout=10).headers["X-Cache"] for _ in range(3)]
        assert outcomes[-1] == "HIT"
        assert requests.get(f"{url}{URL}/{product}", headers=foreign, timeout=10).status_code == 421
        for headers, status in ((foreign, 421), (cross_site, 403), ({"Origin": EVIL}, 403), ({}, 202)):
            answer = requests.post(f"{url}/api/v1/orders", json=order(1), headers=headers, timeout=10)
            assert answer.status_code == status
