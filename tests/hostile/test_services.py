"""Servers that fail beneath the running service: what its clients see meanwhile, and what is there afterwards."""

import http.client
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import requests
from sqlalchemy import text

from catalog.extensions import db
from catalog.stack.redis import Redis
from tests.faults import service as faults
from tests.hostile.conftest import PRODUCTS
from tests.processes import running, served, wait_for, web_server

pytestmark = pytest.mark.processes


class Web(faults.Service):
    """The web server and the clock, over servers of their own."""

    def __init__(self, folder: Path, wsgi: str = "wsgi:app") -> None:
        super().__init__(folder, wsgi)
        self.processes = [self.web, self.clock]

    def send(self, method: str, path: str, **kwargs: object) -> requests.Response:
        return requests.request(method, f"{self.url}{path}", timeout=20, **kwargs)

    def both_redis(self) -> tuple[Redis, Redis]:
        return self.servers.queue, self.servers.cache


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Iterator[Web]:
    with faults.running(tmp_path_factory.mktemp("services"), kind=Web) as service:
        yield service


Disturbance = Callable[[Web], Iterator[None]]


def killed(web: Web) -> Iterator[None]:
    for server in web.both_redis():
        server.kill()
    yield
    for server in web.both_redis():
        server.start()


def wiped(web: Web) -> Iterator[None]:
    for server in web.both_redis():
        server.kill()
        shutil.rmtree(server.folder)
        server.start()
    yield


def hung(web: Web) -> Iterator[None]:
    for server in web.both_redis():
        server.send(signal.SIGSTOP)
    yield
    for server in web.both_redis():
        server.send(signal.SIGCONT)


def each_redis(web: Web, do: Callable[[redis.Redis], object]) -> None:
    for server in web.both_redis():
        with redis.Redis.from_url(server.url) as client:
            do(client)


def full(web: Web) -> Iterator[None]:
    each_redis(web, lambda client: client.config_set("maxmemory-policy", "noeviction"))
    each_redis(web, lambda client: client.config_set("maxmemory", "1"))
    yield
    each_redis(web, lambda client: client.config_set("maxmemory", "0"))


def read_only(web: Web) -> Iterator[None]:
    each_redis(web, lambda client: client.replicaof("127.0.0.1", "1"))
    yield
    each_redis(web, lambda client: client.replicaof("NO", "ONE"))


REDIS: dict[str, Disturbance] = {
    "killed": killed, "wiped": wiped, "hung": hung, "full": full, "read-only": read_only,
}  # fmt: skip
QUEUED = 'mutation { createProduct(title: "Queued", price: 1) { success } }'
LIKE_NOTHING = {  # what a client does, and what it is answered, with Redis or without
    "a read": ("GET", "{product}", None, 200),
    "the read again": ("GET", "{product}", None, 200),
    "a list": ("GET", PRODUCTS, None, 200),
    "a write": ("PUT", "{product}", {"stock_quantity": 7}, 200),
    "the changed product": ("GET", "{product}", None, 200),
    "a creation": ("POST", PRODUCTS, {"name": "Made meanwhile"}, 201),
    "a queued write": ("POST", "/graphql", {"query": QUEUED}, 200),
    "an order": ("POST", "/api/v1/orders", {"id": 0, "customer": "A", "submitted_at": "2026-01-05T10:00:00Z",
                                            "items": [{"sku": "A", "quantity": 1, "unit_price": 1}]}, 202),
    "readiness": ("GET", "/health/ready", None, 200),
}  # fmt: skip


@pytest.mark.parametrize("name", REDIS)
def test_without_redis_all_answers_are_the_same(web, name):
    product = web.send("POST", PRODUCTS, json={"name": "Lamp", "stock_quantity": 1}).headers["Location"]
    wait_for(lambda: web.send("GET", product).headers["X-Cache"] == "HIT", 20)
    with contextmanager(REDIS[name])(web):
        for what, (method, path, body, expected) in LIKE_NOTHING.items():
            body = {**body, "id": time.time_ns() % 10**9} if what == "an order" else body
            began = time.monotonic()
            answer = web.send(method, path.replace("{product}", product), json=body)
            assert (what, answer.status_code) == (what, expected), answer.text
            assert time.monotonic() - began < 10, what
            if what == "the changed product":
                assert answer.json()["stock_quantity"] == 7
            assert what != "a queued write" or "errors" not in answer.json(), answer.text
    assert web.send("GET", product).json()["stock_quantity"] == 7
    wait_for(lambda: web.send("GET", "/health/ready").json()["status"] == "ok", 20)


def test_while_postgresql_is_away_the_answer_is_503_and_nothing_acknowledged_is_lost(web):
    made = [web.send("POST", PRODUCTS, json={"name": "Kept"}).headers["Location"] for _ in range(5)]
    web.servers.postgres.stop(mode="immediate")
    for method, path, body in (("GET", PRODUCTS, None), ("POST", PRODUCTS, {"name": "x"}), ("PUT", made[0], {})):
        refused = web.send(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    assert web.send("GET", "/health/live").status_code == 200
    assert web.send("GET", "/health/ready").status_code == 503
    web.servers.postgres.start()
    wait_for(lambda: web.send("GET", "/health/ready").status_code == 200, 10)
    assert [web.send("GET", path).status_code for path in made] == [200] * 5


@dataclass
class Client(threading.Thread):
    """Creates products over one connection until it is told that this was the last; it must never be cut off."""

    url: str
    number: int

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.made: list[str] = []
        self.dropped: list[str] = []

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        target = urlsplit(self.url)
        with closing(http.client.HTTPConnection(target.hostname, target.port, timeout=20)) as connection:
            while True:
                sku = f"LOAD-{self.number}-{len(self.made)}"
                try:
                    connection.request("POST", PRODUCTS, json.dumps({"name": "x", "sku": sku}), JSON)
                    answer = connection.getresponse()
                    answer.read()
                except OSError as error:
                    self.dropped.append(f"{sku}: {error!r}")
                    return
                if answer.status == 201:
                    self.made.append(sku)
                if answer.will_close:
                    return


JSON = {"Content-Type": "application/json"}


def test_a_server_that_is_told_to_stop_under_load_drops_nothing(committed, environment):
    with web_server({**environment, "LOG_LEVEL": "WARNING"}, workers=2) as (url, master):
        clients = [Client(url, number) for number in range(6)]
        for client in clients:
            client.start()
        wait_for(lambda: all(len(client.made) > 5 for client in clients))
        master.terminate()
        for client in clients:
            client.join(20)
        assert not [client.number for client in clients if client.is_alive()]
    assert [client.dropped for client in clients] == [[]] * 6
    with committed.app_context():
        kept = db.session.scalar(text("SELECT count(*) FROM products WHERE sku LIKE 'LOAD-%'"))
    assert kept == sum(len(client.made) for client in clients)


def test_a_clock_an_hour_off_changes_no_answer(committed, environment):
    """One web server has a clock that is an hour ahead, the other has not, and a worker has the right one."""
    with (
        served(environment, wsgi="tests.hostile.hour_off:app") as off,
        served(environment) as right,
        running(environment, "-m", "catalog.cli", "worker", "imports"),
    ):
        path = requests.post(f"{off}{PRODUCTS}", json={"name": "Lamp"}, timeout=10).headers["Location"]
        for quantity in range(5):
            for writer, reader in ((off, right), (right, off)):
                body = {"stock_quantity": quantity, "name": f"of {writer}"}
                assert requests.put(writer + path, json=body, timeout=10).status_code == 200
                seen = requests.get(reader + path, timeout=10).json()
                assert (seen["stock_quantity"], seen["name"]) == (quantity, f"of {writer}")
        made = requests.get(off + path, timeout=10).json()
        assert made["created_at"] <= made["updated_at"]
        file = {"file": ("p.csv", b"sku,name\nA,One\n")}
        task = requests.post(f"{off}{PRODUCTS}/upload", files=file, timeout=10).json()["task_id"]
        status = f"{right}{PRODUCTS}/upload/{task}/status"
        wait_for(lambda: requests.get(status, timeout=10).json()["state"] == "Completed", 20)
