"""The masters of both Redis are killed: reads go on, writes resume, and nothing that was answered for is lost.

CATALOG_FAULT_ROUNDS kills so often, the new masters too. What was measured is printed.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
import requests
from rq import Queue
from rq.serializers import JSONSerializer

from catalog import redisurl
from catalog.products import writes
from tests.faults.load import Load
from tests.faults.promises import Promises
from tests.faults.service import Service
from tests.faults.test_queued_writes import _query as query
from tests.faults.test_queued_writes import _until_applied as until_applied
from tests.faults.test_webhooks import _change as change_of
from tests.faults.test_webhooks import _until_delivered as until_delivered
from tests.processes import threads, wait_for
from tests.sentinel.cluster import Cluster
from tests.webhooks.receivers import Receiver

ROUNDS = int(os.environ.get("CATALOG_FAULT_ROUNDS", "1"))
DOWN_AFTER = 5.0  # what docs/adr/0023 advises
RESUMED = 15.0
READ_SECONDS = 3.0  # what a failover may add to the longest read, on a machine that has other things to do
SWEPT_SECONDS = 2.0  # catalog/clock.py: how often queued writes are swept


class Watched(Service):
    """The service whose queue and cache are what Sentinels take for the masters."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cluster = Cluster(folder / "redis", DOWN_AFTER)
        self.environment |= {"REDIS_URL": self.cluster.url("queue"), "CACHE_REDIS_URL": self.cluster.url("cache")}

    def start(self) -> None:
        self.cluster.start()
        super().start()
        self.servers.queue.stop()
        self.servers.cache.stop()

    def stop(self) -> None:
        super().stop()
        self.cluster.stop()


@dataclass
class Timeline:
    """When something was done that an outage may delay: moments of time.monotonic()."""

    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    done: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], object]) -> None:
        """Do it, and note how long it took, or that it failed."""
        begun = time.monotonic()
        try:
            work()
        except (requests.RequestException, AssertionError) as error:
            self.failures.append(str(error))
        else:
            self.done.append(time.monotonic())
            self.slowest = max(self.slowest, self.done[-1] - begun)

    def longest(self) -> float:
        """Return the longest time, in seconds, that one took, or in which nothing was done."""
        gaps = (after - before for before, after in zip(self.done, self.done[1:], strict=False))
        return max(self.slowest, *gaps)


@pytest.fixture
def service(tmp_path_factory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("failover")
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    made = Watched(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def read(session: requests.Session, url: str) -> requests.Response:
    answer = session.get(url, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer


def accepts(url: str) -> bool:
    """Tell whether a Redis that Sentinels know takes writes, asked anew."""
    try:
        with redisurl.client(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=redisurl.at_once()) as client:
            return bool(client.set("probe", "1"))
    except redis.RedisError:
        return False


def kill_the_masters(service: Watched) -> float:
    """Kill both at once; return after how many seconds both Redis took writes again."""
    masters = {name: service.cluster.master(name) for name in ("queue", "cache")}
    killed = time.monotonic()
    for master in masters.values():
        master.kill()
    wait_for(lambda: all(accepts(service.cluster.url(name)) for name in masters), 120)
    resumed = time.monotonic() - killed
    for master in masters.values():
        master.launch()  # it comes back as the replica of the one that took its place
    return resumed


def test_reads_go_on_writes_resume_and_no_acknowledged_event_or_job_is_lost(service):
    product = requests.post(f"{service.url}/api/v1/products", json={"name": "Kept"}, timeout=20).json()["id"]
    many, one, live, stopping = Timeline(), Timeline(), Timeline(), threading.Event()  # `live` asks no server of ours
    paths = ("/api/v1/products", f"/api/v1/products/{product}", "/health/live")

    def reader(number: int) -> None:
        session = requests.Session()
        while not stopping.wait(0.02):
            (many, one, live)[number].time(lambda: read(session, f"{service.url}{paths[number]}"))

    with Receiver() as receiver:
        hook = {"url": receiver.url, "events": ["product.*"], "timeout_seconds": 2}
        requests.post(f"{service.url}/api/v1/webhooks", json=hook, timeout=20).raise_for_status()
        load, queued = Load(f"{service.url}/api/v1/products", clients=2), Promises(f"{service.url}/graphql", clients=2)
        with threads(3, reader, stopping), load.applied(), queued.asked_for():
            wait_for(lambda: len(load.acknowledged) > 50 and min(len(one.done), len(many.done)) > 50, 120)
            for _ in range(ROUNDS):
                resumed = kill_the_masters(service)
                silent = bell_seconds(service)
                applied = job_done_after(service)
                wait_for(lambda: cached(service, product), 60)
        service.mend()
        until_applied(service)
        until_delivered(service, [receiver])
        told = Counter(change_of(request.body) for request in receiver.requests)
    print(
        f"both masters killed: Redis takes writes after {resumed:.1f} s, a queued write is made {applied:.1f} s later;"
        f" {len(one.done) + len(many.done)} reads, {len(one.failures) + len(many.failures)} failed,"
        f" slowest {max(one.slowest, many.slowest):.2f} s ({live.slowest:.2f} s without any server);"
        f" {len(load.acknowledged)} changes, {load.unanswered} unanswered,"
        f" {len(load.acknowledged - set(told))} not told; {queued.writes} queued writes"
    )
    assert one.failures == many.failures == []
    assert max(one.longest(), many.longest()) < READ_SECONDS + 2 * live.longest()  # how slow the machine is
    assert resumed < RESUMED
    assert resumed + applied < RESUMED + silent
    assert load.unanswered == 0
    assert load.acknowledged <= set(told)
    made = {str(row[0]) for row in query(service, "SELECT id FROM products")}
    assert {promise.product_id for promise in queued.kept} <= made


def bell_seconds(service: Watched) -> float:
    """Return for how many seconds a bell whose job is lost keeps others from ringing; then a sweep rings."""
    with redisurl.client(service.cluster.url("queue"), retry=redisurl.through_a_failover()) as client:
        queue = Queue("default", connection=client, serializer=JSONSerializer)
        has_job = queue.count or queue.started_job_registry.count
        left = client.pttl(f"catalog:bell:{writes.JOB}") / 1000
    return left + SWEPT_SECONDS if left > 0 and not has_job else 0.0


def job_done_after(service: Watched) -> float:
    """Return how many seconds a queued write takes now, from its answer until a worker has made it."""
    begun, name = time.monotonic(), f"Queued-{time.monotonic_ns()}"
    ask = {
        "query": "mutation ($t: String!) { createProduct(title: $t, price: 1) { success } }",
        "variables": {"t": name},
    }
    requests.post(f"{service.url}/graphql", json=ask, timeout=10).raise_for_status()
    wait_for(lambda: query(service, f"SELECT FROM products WHERE name = '{name}'"), 60)
    return time.monotonic() - begun


def cached(service: Watched, product: str) -> bool:
    return requests.get(f"{service.url}/api/v1/products/{product}", timeout=20).headers["X-Cache"] == "HIT"
