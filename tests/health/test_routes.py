"""Health as a load balancer, an operator and a newcomer ask for it."""

import pytest
import redis
from sqlalchemy.exc import OperationalError

from catalog import clock, jobqueue, redisurl
from catalog.extensions import db


def break_database(monkeypatch):
    def refuse(*_, **__):
        raise OperationalError("SELECT 1", {}, Exception("host=10.0.0.7 password=hush"))

    monkeypatch.setattr(db.session, "execute", refuse)


def break_redis(monkeypatch):
    closed = redis.Redis(port=1, socket_connect_timeout=0.1, retry=redisurl.at_once())
    monkeypatch.setattr(jobqueue, "client", lambda _url: closed)


def test_ready_names_each_dependency_with_its_latency(client):
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    assert set(answer.json["dependencies"]) == {"database", "queue", "cache"}
    assert all(one["milliseconds"] >= 0 for one in answer.json["dependencies"].values())


def test_ready_tells_the_age_of_the_last_beat(client, app):
    with app.app_context():
        clock._beat()
    beat = client.get("/health/ready").json["last_beat_seconds"]
    assert 0 <= beat["clock"] < 5


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_without_postgresql_the_service_is_503_and_keeps_its_reasons_to_itself(client, monkeypatch, path):
    break_database(monkeypatch)
    answer = client.get(path)
    assert (answer.status_code, answer.json["status"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert "hush" not in answer.text


def test_without_redis_the_service_is_degraded_and_still_200(client, monkeypatch):
    break_redis(monkeypatch)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["dependencies"]["queue"]["status"] == "unavailable"


def test_live_answers_whatever_is_down(client, monkeypatch):
    break_database(monkeypatch)
    break_redis(monkeypatch)
    assert client.get("/health/live").json == {"status": "ok"}


def test_hello_names_version_environment_and_database(client, monkeypatch):
    hello = client.get("/api/v1/hello").json
    assert (hello["service"], hello["environment"], hello["database"]) == ("catalog", "development", "reachable")
    break_database(monkeypatch)
    assert client.get("/api/v1/hello").json["database"] == "unreachable"


def test_the_root_says_where_the_documentation_is(client):
    root = client.get("/", headers={"Accept": "application/json"}).json
    assert root["service"] == "catalog"
    assert client.get(root["docs"]).status_code == 200


def test_a_request_during_a_database_outage_is_503_with_retry_after(client, monkeypatch):
    def refuse():
        raise OperationalError("SELECT 1", {}, Exception("no"))

    monkeypatch.setattr("catalog.products.service.stats", refuse)
    answer = client.get("/api/v1/products/stats")
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
