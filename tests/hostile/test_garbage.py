"""Garbage in every key of both Redis: answers stay what they are, and none is an error of ours."""

import uuid
from io import BytesIO

import pytest
import redis

from catalog import jobqueue

PRODUCTS = "/api/v1/products"
GARBAGE = {
    "bytes": lambda client, key: client.set(key, b"\xff\x00\xfe"),
    "an object": lambda client, key: client.set(key, b"{}"),
    "a sign": lambda client, key: client.set(key, b"+"),
    "another's content": lambda client, key: client.set(key, b'+1 1 {"evil":1}'),
    "a number": lambda client, key: client.set(key, b"12345"),
    "a list": lambda client, key: client.rpush(key, "a"),
    "a hash": lambda client, key: client.hset(key, "a", "b"),
    "a sorted set": lambda client, key: client.zadd(key, {"a": 1}),
    "a huge number": lambda client, key: client.set(key, b"9" * 400),
    "null": lambda client, key: client.set(key, b"null"),
    "half a state": lambda client, key: client.set(key, b'{"state":"running"}'),
    "a state with text for numbers": lambda client, key: client.set(
        key, b'{"state":"running","percent":"x","total_rows":[],"created":1e400}'
    ),
    "a state too large": lambda client, key: client.set(
        key, b'{"state":"running","percent":99999999999999999999,"total_rows":1}'
    ),
}


@pytest.fixture
def product(committed, client):
    return client.post(PRODUCTS, json={"name": "Cached"}).json["id"]


@pytest.fixture
def task(committed, client):
    data = {"file": (BytesIO(b"sku,name\nG,g\n"), "p.csv")}
    return client.post(f"{PRODUCTS}/upload", data=data).json["task_id"]


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_redis_changes_no_answer(committed, client, product, task, name):
    paths = [
        *(f"{PRODUCTS}/{product}", f"/products/{product}", f"{PRODUCTS}/stats", f"{PRODUCTS}?limit=2"),
        *(f"{PRODUCTS}/upload/{task}/status", f"{PRODUCTS}/import/{task}/progress", f"/api/v1/imports/{task}"),
        *("/api/v1/webhooks/stats", "/api/v1/tasks", "/console/overview", "/console/jobs", "/console/imports"),
        *("/health", "/health/ready", "/metrics", "/api/v1/orders", "/api/v1/jobs", "/api/v1/jobs/workers"),
    ]
    before = {path: client.get(path).status_code for path in paths}
    submit_test_job(committed)
    with committed.app_context():
        servers = [jobqueue.connection(), jobqueue.client(committed.config["CACHE_REDIS_URL"])]
        for server in servers:
            spoil(server, GARBAGE[name], f"catalog:import:{task}", f"catalog:product:{product}")
    try:
        after = {path: client.get(path) for path in paths}
        assert {path: answer.status_code for path, answer in after.items()} == before
        assert all(product in after[path].text for path in paths[:2])
        assert client.put(f"{PRODUCTS}/{product}", json={"stock_quantity": 5}).status_code == 200
        assert client.post("/api/v1/jobs/test", json={}).status_code in (202, 503)  # its queue may be no list
    finally:
        for server in servers:
            server.flushdb()


def submit_test_job(committed) -> None:
    with committed.app_context():
        jobqueue.submit("catalog.jobs.jobs.test", 0, False, queue_name="default")
        worker = f"rq:worker:{uuid.uuid4().hex}"
        jobqueue.connection().sadd("rq:workers", worker)
        jobqueue.connection().hset(worker, mapping={"birth": "2026-01-01T00:00:00Z", "queues": "default"})


def spoil(server: redis.Redis, garbage, *more: str) -> None:
    for key in {*server.scan_iter(count=10_000), *(each.encode() for each in more)}:
        server.delete(key)
        garbage(server, key)
