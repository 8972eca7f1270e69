"""How often a caller may ask: counted for each apart, told in headers, refused with 429, and never in the way."""

import io
import signal
import threading

import pytest
import requests
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from catalog import config, ratelimits
from catalog.access import Caller
from catalog.cache import trust
from catalog.cache.client import Client, Link
from catalog.products import service
from catalog.ratelimits.ahead import BUNCHES
from catalog.ratelimits.callers import by_address
from catalog.ratelimits.counters import Counters
from tests.orders.conftest import body as order
from tests.processes import served, wait_for

URL = "/api/v1/products"
HEADERS = ("RateLimit", "RateLimit-Policy")


def left(answer) -> int:
    return int(answer.headers["RateLimit"].split("r=")[1].split(";")[0])


def statuses(client, count, path=URL, **kwargs):
    return [client.get(path, **kwargs).status_code for _ in range(count)]


def from_(address):
    return {"environ_overrides": {"REMOTE_ADDR": address}}


def test_an_answer_tells_the_limit_and_what_is_left_of_it(make_app):
    client = make_app(RATE_LIMIT_READS="10/minute").test_client()
    first, second = client.get(URL), client.get(URL)
    assert first.headers["RateLimit-Policy"] == '"reads";q=10;w=60'
    assert first.headers["RateLimit"].startswith('"reads";r=9;t=')
    assert (left(second), first.status_code) == (8, 200)


def test_one_too_many_is_a_problem_that_says_when_to_come_again(make_app):
    client = make_app(RATE_LIMIT_READS="2/minute").test_client()
    assert statuses(client, 2) == [200, 200]
    refused = client.get(URL)
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert refused.content_type == "application/problem+json"
    assert "More than 2 reads in 60 s" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert left(refused) == 0


def test_after_the_window_there_is_more(make_app):
    client = make_app(RATE_LIMIT_READS="1/second").test_client()
    wait_for(lambda: client.get(URL).status_code == 429, 20)  # two in one second, sooner or later
    wait_for(lambda: client.get(URL).status_code == 200, 20)


def test_reads_and_writes_are_counted_apart(make_app):
    client = make_app(RATE_LIMIT_READS="1/minute", RATE_LIMIT_WRITES="1/minute").test_client()
    assert client.get(URL).status_code == 200
    assert client.post(URL, json={"name": "x"}).status_code == 201
    refused = client.post(URL, json={"name": "x"})
    assert (refused.status_code, refused.headers["RateLimit-Policy"]) == (429, '"writes";q=1;w=60')


def test_addresses_are_counted_apart_and_those_of_one_ipv6_network_together(make_app):
    client = make_app(RATE_LIMIT_READS="1/minute").test_client()
    assert statuses(client, 2, **from_("192.0.2.1")) == [200, 429]
    assert statuses(client, 1, **from_("192.0.2.2")) == [200]
    assert statuses(client, 1, **from_("2001:db8::1")) == [200]
    assert statuses(client, 1, **from_("2001:db8::2")) == [429]
    assert statuses(client, 1, **from_("2001:db8:0:1::2")) == [200]


def test_a_key_is_counted_for_wherever_it_comes_from(make_app, monkeypatch):
    client = make_app(RATE_LIMIT_READS="1/minute").test_client()
    monkeypatch.setattr("catalog.access.caller", lambda: Caller("key:1", "one", "192.0.2.1"))
    assert statuses(client, 1, **from_("192.0.2.1")) == [200]
    assert statuses(client, 1, **from_("192.0.2.9")) == [429]
    monkeypatch.setattr("catalog.access.caller", lambda: Caller("key:2", "two", "192.0.2.1"))
    assert statuses(client, 1, **from_("192.0.2.1")) == [200]


def test_probes_and_what_pages_are_made_of_are_never_refused(make_app):
    client = make_app(RATE_LIMIT_READS="1/minute").test_client()
    for path in ("/health/live", "/metrics", "/api/static/docs.css"):
        assert statuses(client, 3, path, buffered=True) == [200] * 3


def test_what_leads_nowhere_counts_too(make_app):
    client = make_app(RATE_LIMIT_READS="2/minute").test_client()
    assert statuses(client, 3, "/nowhere") == [404, 404, 429]


def test_an_upload_costs_its_megabytes(make_app):
    client = make_app(RATE_LIMIT_UPLOADS="10/hour", RATE_LIMIT_WRITES="1/minute").test_client()

    def upload(size):
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(b"x" * size), "p.png")})
        return client.post(f"{URL}/upload", data=body, content_type=f"multipart/form-data; boundary={boundary}")

    assert left(upload(10)) == 9
    assert left(upload(5_500_000)) == 3
    assert upload(5_500_000).status_code == 429


def test_graphql_is_counted_by_its_cost_and_its_mutations_as_writes_too(make_app):
    client = make_app(RATE_LIMIT_GRAPHQL="1000/minute", RATE_LIMIT_WRITES="3/minute").test_client()

    def ask(query):
        return client.post("/graphql", json={"query": query})

    assert left(ask("{ __typename }")) == 999
    assert left(ask("{ allProducts(first: 100) { id title } }")) == 999 - 1 - 200
    twice = "mutation { a: deleteProduct(productId: 1) { success } b: deleteProduct(productId: 2) { success } }"
    assert ask(twice).headers["RateLimit-Policy"] == '"writes";q=3;w=60, "graphql";q=1000;w=60'
    refused = ask(twice)
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    costly = [ask("{ allProducts(first: 100) { id uuid sku title } }").status_code for _ in range(3)]
    assert costly == [200, 429, 429]


def test_without_limits_nothing_is_counted_and_nothing_said(make_app, direct):
    app = make_app()
    answer = app.test_client().get(URL)
    assert not any(name in answer.headers for name in HEADERS)
    assert app.extensions["catalog-ratelimits"] is None
    assert direct.keys("*LIMIT*") == []


@pytest.mark.parametrize("kind", [*ratelimits.KINDS, "wrong_keys"])
def test_limits_are_off_in_development_on_in_production_and_can_be_switched_off(monkeypatch, kind):
    name = f"RATE_LIMIT_{kind.upper()}"
    monkeypatch.setenv("ENCRYPTION_KEYS", "A" * 43 + "=")
    monkeypatch.setenv("SECRET_KEY", "s" * 40)
    assert config.load()[name] is None
    monkeypatch.setenv("CATALOG_ENV", "production")
    assert config.load()[name] == config.PRODUCTION_RATES[kind.upper()]
    monkeypatch.setenv(name, "off")
    assert config.load()[name] is None
    monkeypatch.setenv(name, "often")
    with pytest.raises(config.ConfigError, match="6000/minute"):
        config.load()


class TestWithoutRedis:
    """A process then counts for itself, at once and without waiting."""

    @pytest.fixture
    def client(self, make_app):
        client = make_app(RATE_LIMIT_READS="5/minute").test_client()
        assert left(client.get("/nowhere")) == 4
        return client

    def test_killed(self, client, server):
        server.kill()
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]

    def test_hung(self, client, server, monkeypatch):
        server.send(signal.SIGSTOP)
        calls = []
        call = Link.call
        monkeypatch.setattr(Link, "call", lambda *args: calls.append(args) or call(*args))
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]
        assert len(calls) == 1  # which waits for its timeout, and the breaker is open

    def test_full(self, client, direct):
        direct.config_set("maxmemory-policy", "noeviction")
        direct.config_set("maxmemory", "1")
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]

    def test_read_only(self, client, direct):
        direct.replicaof("127.0.0.1", "1")
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]

    def test_wiped(self, client, direct):
        direct.flushall()
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]

    def test_with_something_else_under_its_keys(self, client, direct):
        (key,) = direct.keys("*")
        direct.delete(key)
        direct.lpush(key, "x")
        assert statuses(client, 6, "/nowhere") == [404] * 5 + [429]

    def test_back_again(self, client, server):
        server.kill()
        client.get("/nowhere")
        server.start()
        wait_for(lambda: left(client.get("/nowhere")) == 4, 5)  # only Redis, which is empty, says so again


class TestBeforeFlask:
    """A hit of the cache and an order count as all others do, though Flask never sees them."""

    @pytest.fixture
    def hot(self, make_app, monkeypatch):
        monkeypatch.setattr(trust, "TRUST_SECONDS", 60.0)  # a pause of a busy machine would make a hit a miss
        app = make_app(RATE_LIMIT_READS="300/minute")
        with app.app_context():
            product = service.create({"name": "Lamp"}).id
        client = app.test_client()
        assert left(client.get(f"{URL}/{product}")) == 299
        return client, f"{URL}/{product}"

    def test_hits_are_counted_in_bunches_to_the_last_one(self, hot):
        client, path = hot
        answers = [client.get(path) for _ in range(301)]
        assert [answer.status_code for answer in answers] == [200] * 299 + [429] * 2
        assert {answer.headers.get("X-Cache") for answer in answers[:299]} == {"HIT"}
        assert [left(answer) for answer in answers[:299]] == list(range(298, -1, -1))

    def test_a_process_asks_redis_once_for_a_bunch(self, hot, monkeypatch):
        client, path = hot
        taken = []
        take = Counters.take
        monkeypatch.setattr(Counters, "take", lambda *args: taken.append(args[2]) or take(*args))
        for _ in range(30):
            client.get(path)
        assert taken == [300 // BUNCHES] * 10

    def test_others_in_other_processes_have_what_is_left(self, hot, make_own_app):
        client, path = hot
        other = make_own_app(RATE_LIMIT_READS="300/minute").test_client()
        mine = left(client.get(path))
        taken_ahead = 300 // BUNCHES  # at most: on a busy machine Flask may have answered, which takes one
        assert mine - taken_ahead <= left(other.get("/nowhere")) < mine

    def test_a_request_with_a_key_is_counted_by_flask_which_knows_whose_it_is(self, hot):
        client, path = hot
        answer = client.get(path, headers={"Authorization": "Bearer x"})
        assert answer.status_code in (200, 401)
        before = left(client.get(path))
        assert before == 299 - 1 - 1 or answer.status_code == 401

    def test_hits_go_on_without_redis(self, hot, server):
        client, path = hot
        server.kill()
        assert {client.get(path).status_code for _ in range(20)} == {200}

    @pytest.mark.processes
    def test_orders_are_writes(self, environment, server, direct, committed):
        settings = {**environment, "CACHE_REDIS_URL": server.url, "RATE_LIMIT_WRITES": "2/minute"}
        with served(settings) as url:
            answers = [requests.post(f"{url}/api/v1/orders", json=order(n), timeout=5) for n in range(1, 4)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert [left(answer) for answer in answers] == [1, 0, 0]


def test_many_threads_take_no_more_than_there_is(server, direct):
    counters = Counters(client=Client(server.url))
    taken = []

    def take():
        taken.extend(counters.take("LIMIT", 3, 60, 100)[0] for _ in range(20))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 100
    assert 59_000 < direct.pttl("LIMIT") <= 60_000


@pytest.mark.parametrize(
    ("address", "counted"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::ff", "2001:db8::/64"), ("", "unknown"), ("unix:", "unix:")],
)
def test_an_address_is_counted_as(address, counted):
    assert by_address(address) == counted
