"""What every answer tells browsers, whoever answers; other origins; cookies; proxies."""

from collections.abc import Callable

import pytest
import requests
from flask import request
from flask.testing import FlaskClient

from catalog import headers, proxies
from catalog.access import PUBLIC, declare
from catalog.app import create_app
from catalog.products import service
from tests.orders.conftest import body as order
from tests.processes import served

URL = "/api/v1/products"
HERE = {name.lower(): value for name, value in headers.PLAIN}
PATHS = ["/", URL, "/nowhere", "/health/live", "/metrics", "/api/openapi.json", "/api/static/docs.css"]
SHOP = "https://shop.example.com"
EXPOSED = {"ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"}


def told(answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower() in HERE}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(client, path):
    assert told(client.get(path, buffered=True)) == HERE


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/graphql"])
def test_a_page_has_a_policy_of_its_own_that_is_strict(client, path):
    answer = client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert {**told(answer), "content-security-policy": ""} == {**HERE, "content-security-policy": ""}
    assert (answer.headers["X-Frame-Options"], answer.headers["Cross-Origin-Opener-Policy"]) == ("DENY", "same-origin")


@pytest.mark.processes
def test_answers_before_flask_have_them_too(app, committed, environment):
    with app.app_context():
        product = service.create({"name": "Lamp"}).id
    with served(environment) as url:
        answers = [requests.get(f"{url}{URL}/{product}", timeout=5) for _ in range(2)]
        answers.append(requests.post(f"{url}/api/v1/orders", json=order(1), timeout=5))
    assert [answer.headers.get("X-Cache") for answer in answers] == ["MISS", "HIT", None]
    assert [told(answer) for answer in answers] == [HERE] * 3


@pytest.mark.parametrize(
    ("environment_name", "scheme", "strict"),
    [("production", "https", True), ("production", "http", False), ("development", "https", False)],
)
def test_https_alone_is_asked_for_in_production_and_over_https(make_app, environment_name, scheme, strict):
    app = make_app(CATALOG_ENV=environment_name)
    with app.app_context():
        product = service.create({"name": "Lamp"}).id
    client = app.test_client()
    for _ in range(2):
        answer = client.get(f"{URL}/{product}", base_url=f"{scheme}://localhost")
        assert ("Strict-Transport-Security" in answer.headers) == strict


def test_other_origins_are_told_nothing_where_none_is_set(client):
    for answer in (client.get(URL, headers={"Origin": SHOP}), preflight(client, SHOP)):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def preflight(client, origin):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "If-Match"}
    return client.options(URL, headers=asked)


def test_an_origin_that_is_set_may_call_and_read_the_headers(make_app):
    client = make_app(CORS_ORIGINS=[SHOP, "https://b.example"]).test_client()
    answer = client.get(URL, headers={"Origin": SHOP})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) >= EXPOSED
    assert "Origin" in answer.headers["Vary"]
    asked = preflight(client, SHOP)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Headers"]) == (200, "If-Match")
    assert "DELETE" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Credentials" not in asked.headers


@pytest.mark.parametrize("origin", ["https://evil.example", f"{SHOP}.evil.example", "http://shop.example.com", "null"])
def test_another_origin_may_not(make_app, origin):
    client = make_app(CORS_ORIGINS=[SHOP]).test_client()
    for answer in (client.get(URL, headers={"Origin": origin}), preflight(client, origin)):
        assert answer.headers.get("Access-Control-Allow-Origin") != origin
        assert answer.headers.get("Access-Control-Allow-Origin") != "*"


def test_a_hit_is_told_to_the_origin_that_may_read_it(make_app):
    app = make_app(CORS_ORIGINS=[SHOP])
    with app.app_context():
        product = service.create({"name": "Lamp"}).id
    answers = [app.test_client().get(f"{URL}/{product}", headers={"Origin": SHOP}) for _ in range(2)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT"]
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {SHOP}


@pytest.mark.parametrize(("environment_name", "secure"), [("production", True), ("development", False)])
def test_a_cookie_is_for_this_site_and_not_for_scripts(monkeypatch, environment_name, secure):
    for name, value in {"ENCRYPTION_KEYS": "A" * 43 + "=", "SECRET_KEY": "s" * 40}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CATALOG_ENV", environment_name)
    app = create_app({"SECRET_KEY": "s" * 40})
    cookie = app.session_interface
    assert (cookie.get_cookie_secure(app), cookie.get_cookie_httponly(app)) == (secure, True)
    assert cookie.get_cookie_samesite(app) == "Lax"


MAPPED = {"REMOTE_ADDR": "::ffff:198.51.100.7"}  # an IPv4 client of a socket that is bound to ::


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (2, "1.2.3.4, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9:50512", "203.0.113.9"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "[::ffff:cb00:7109]:443", "203.0.113.9"),
        (1, "[2001:DB8::1]:443", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "unknown", "127.0.0.1"),
        (1, "127.0.0.1.example.com", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (2, "203.0.113.9, ", "203.0.113.9"),
    ],
)
def test_only_as_many_proxies_as_are_set_are_believed(whoami, trusted, forwarded, seen):
    answer = whoami(trusted).get("/whoami", headers={"X-Forwarded-For": forwarded})
    assert answer.json["address"] == seen


@pytest.mark.parametrize("trusted", [0, 1])
def test_an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address(whoami, trusted):
    assert whoami(trusted).get("/whoami", environ_base=MAPPED).json["address"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("trusted", "forwarded", "scheme"),
    [
        (0, "https", "http"),
        (1, "https", "https"),
        (1, "http, https", "https"),
        (1, "https, http", "http"),
        (2, "https", "https"),  # the inner proxy overwrote what the outer one had set
        (2, "https, http", "https"),
        (2, "http, https, http", "https"),
        (1, "HTTPS", "https"),
        (1, "javascript", "http"),
        (1, "", "http"),
    ],
)
def test_the_scheme_is_that_of_the_outermost_trusted_proxy(whoami, trusted, forwarded, scheme):
    answer = whoami(trusted).get("/whoami", headers={"X-Forwarded-Proto": forwarded})
    assert answer.json["scheme"] == scheme


@pytest.fixture
def whoami(make_own_app) -> Callable[[int], FlaskClient]:
    """Return a client of an application behind so many trusted proxies, which tells who is asking and how."""

    def make(trusted: int) -> FlaskClient:
        app = make_own_app(TRUSTED_PROXIES=trusted)
        app.add_url_rule("/whoami", "whoami", lambda: {"address": request.remote_addr, "scheme": request.scheme})
        declare(app, "whoami", ["GET"], PUBLIC)
        proxies.register(app)
        return app.test_client()

    return make


def test_wrong_keys_of_one_ipv4_client_do_not_lock_out_another(make_own_app):
    app = make_own_app(RATE_LIMIT_WRONG_KEYS="2/hour")
    proxies.register(app)
    wrong = {"X-API-Key": "mistyped"}

    def tried(address: str) -> int:
        given = {"REMOTE_ADDR": address}
        return app.test_client().get(URL, headers=wrong, environ_base=given).status_code

    assert [tried("::ffff:203.0.113.1") for _ in range(3)] == [401, 401, 429]
    assert tried("203.0.113.1") == 429
    assert tried("::ffff:203.0.113.2") == 401
