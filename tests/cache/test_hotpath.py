"""A hit answered before Flask: the same answer, for plain requests only."""

import pytest
import requests

from catalog.products import service
from tests.processes import served, wait_for

URL = "/api/v1/products"

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def client(cached_app):
    return cached_app.test_client()


@pytest.fixture
def address(client, product) -> str:
    """The address of a product that is in the cache."""
    assert client.get(f"{URL}/{product}").status_code == 200
    return f"{URL}/{product}"


def refuse(*_):
    raise AssertionError("Flask was asked")


@pytest.fixture
def flask_refuses(cached_app, address, monkeypatch):
    monkeypatch.setattr(type(cached_app), "full_dispatch_request", refuse)
    cached_app.config["PROPAGATE_EXCEPTIONS"] = True


def test_a_hit_is_the_same_answer_without_flask(client, product, request):
    miss = client.get(f"{URL}/{product}")
    request.getfixturevalue("flask_refuses")
    hit = client.get(f"{URL}/{product}")
    assert (hit.status, hit.data, hit.headers["X-Cache"]) == (miss.status, miss.data, "HIT")
    volatile = {"X-Cache", "X-Request-ID"}
    assert {n: v for n, v in hit.headers if n not in volatile} == {n: v for n, v in miss.headers if n not in volatile}
    assert {n for n, _ in hit.headers} == {n for n, _ in miss.headers}


@pytest.mark.usefixtures("flask_refuses")
@pytest.mark.parametrize("given", ['"1"', 'W/"1"', '"0", "1"', "*"])
def test_a_caller_that_has_it_gets_304_and_no_body(address, client, given):
    answer = client.get(address, headers={"If-None-Match": given})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", '"1"')
    assert "Content-Type" not in answer.headers


@pytest.mark.usefixtures("flask_refuses")
@pytest.mark.parametrize("given", ['"2"', "1x", "", '"'])
def test_a_caller_that_has_another_version_gets_it(address, client, given):
    assert client.get(address, headers={"If-None-Match": given}).status_code == 200


@pytest.mark.usefixtures("flask_refuses")
def test_the_callers_request_id_comes_back_and_a_hostile_one_does_not(address, client):
    assert client.get(address, headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert len(client.get(address, headers={"X-Request-ID": "a b<>"}).headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("change", [str.upper, lambda path: path + "/", lambda path: path + "?x=1"])
def test_other_spellings_of_the_address_are_answered_the_same(address, client, change):
    path = change(address.removeprefix(URL))
    answer = client.get(URL + path)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "HIT")


def test_what_is_not_a_plain_read_is_left_to_flask(address, client):
    assert client.head(address).status_code == 200
    assert client.put(address, json={"stock_quantity": 5}).json["stock_quantity"] == 5
    assert client.get(address).headers["X-Cache"] == "MISS"
    assert client.get(address, headers={"Origin": "https://shop.example.com"}).status_code == 200


def test_a_remembered_absence_is_a_problem_document(address, client):
    client.delete(address)
    for outcome in ("MISS", "HIT"):
        answer = client.get(address)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        assert (answer.json["instance"], answer.headers["X-Cache"]) == (address, outcome)


def test_without_redis_the_answer_says_that_the_cache_was_passed_by(address, client, server):
    server.kill()
    answer = client.get(address)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "BYPASS")


def counted(url: str) -> dict[str, float]:
    lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


@pytest.mark.processes
def test_the_counts_of_all_processes_are_added_up(environment, server, cached_app):
    product = service.create({"name": "Counted"}).id
    settings = {**environment, "CACHE_REDIS_URL": server.url}
    with served(settings, workers=3) as url:
        path = f"{url}{URL}/{product}"
        for _ in range(60):
            requests.get(path, timeout=5)  # a new connection each: any process may answer
        route = 'method="GET",route="/api/v1/products/<uuid:product_id>"'
        name = f'catalog_http_requests_total{{{route},status="200"}}'
        wait_for(lambda: counted(url).get(name) == 60)
        found = counted(url)
        assert found['catalog_cache_reads_total{outcome="HIT"}'] == 59
        assert found['catalog_cache_reads_total{outcome="MISS"}'] == 1
        assert found[f"catalog_http_request_seconds_count{{{route}}}"] == 60
        assert all(counted(url)[name] == 60 for _ in range(10))
