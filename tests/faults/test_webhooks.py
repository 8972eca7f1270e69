"""Whatever is killed, every acknowledged change is told to every receiver, and nothing that did not happen is.

CATALOG_FAULT_SECONDS and CATALOG_FAULT_WEBHOOK_ROUNDS make it longer; CI runs one short round, in which each kind of
fault comes at least once.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
import requests
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text

from tests.faults.load import Change, Load
from tests.faults.service import Service, running
from tests.webhooks.receivers import Receiver

SECONDS = float(os.environ.get("CATALOG_FAULT_SECONDS", "10"))
ROUNDS = int(os.environ.get("CATALOG_FAULT_WEBHOOK_ROUNDS", "1"))
PAUSE = (0.3, 1.1)
CHANGES_A_KILL = 100  # each kill repeats what is on its way: the promise is about a thousand in a hundred thousand
DRAINED = 300


@dataclass
class Outcome:
    """What is left to judge after the last kill."""

    acknowledged: set[Change]
    told: list[Counter[str]]  # of each receiver: how often each webhook-id arrived
    changes: list[dict[str, Change]]  # of each receiver: which change each webhook-id stood for
    products: dict[str, int]  # versions of the products there are
    kills: int

    def lost(self) -> set[Change]:
        return set().union(*(self.acknowledged - set(changes.values()) for changes in self.changes))

    def duplicates(self) -> float:
        arrivals = sum(told.total() for told in self.told)
        return (arrivals - sum(map(len, self.told))) / max(arrivals, 1)

    def phantoms(self) -> set[Change]:
        """Changes that were told and are not in the database: undone versions, deletions of what is there."""
        told = set().union(*(changes.values() for changes in self.changes))
        deleted = {product for event, product, _ in told if event == "product.deleted"}
        return {
            change
            for change in told
            if (change[1] in self.products if change[0] == "product.deleted" else self._undone(change, deleted))
        }

    def _undone(self, change: Change, deleted: set[str]) -> bool:
        return change[1] not in deleted and self.products.get(change[1], 0) < change[2]


def play(
    folder: Path, wsgi: str = "wsgi:app", settled: Callable[[Service, list[Receiver]], None] | None = None
) -> Outcome:
    chance = random.Random(7)
    with Receiver() as one, Receiver() as two, running(folder, wsgi) as service:
        for receiver in (one, two):
            hook = {"url": receiver.url, "events": ["product.*"], "timeout_seconds": 2, "secret": "hush"}
            requests.post(f"{service.url}/api/v1/webhooks", json=hook, timeout=5).raise_for_status()
        with Load(f"{service.url}/api/v1/products").applied() as load:
            for _ in range(ROUNDS):
                strike_for(service, SECONDS, chance, lambda: len(load.acknowledged))
            service.lose_the_queue()
            service.mend()
        service.mend()
        (settled or _until_delivered)(service, [one, two])
        arrived = [[(request.id, _change(request.body)) for request in receiver.requests] for receiver in (one, two)]
        return Outcome(
            load.acknowledged,
            [Counter(identity for identity, _ in requests_) for requests_ in arrived],
            [dict(requests_) for requests_ in arrived],
            {str(row.id): row.version for row in _query(service, "SELECT id, version FROM products")},
            service.kills,
        )


def strike_for(
    service: Service, seconds: float, chance: random.Random, changes: Callable[[], int] | None = None
) -> None:
    """Kill something about every second, given a count of `changes` not before a hundred more; start what is down.

    Goes on for `seconds`, and until each kind of fault has come, and as many faults as there are in four seconds each.
    """
    begun, kills = time.monotonic(), service.kills
    strikes = service.strikes(chance)
    while time.monotonic() - begun < seconds or service.kills - kills < max(service.kinds, seconds / 4):
        before = changes() if changes else 0
        time.sleep(chance.uniform(*PAUSE))  # the faults' own rhythm, no wait for anything
        if changes:
            service.wait_until(lambda wanted=before + CHANGES_A_KILL: changes() >= wanted, DRAINED)
        next(strikes)
        service.supervise()


def _change(body: bytes) -> Change:
    sent = json.loads(body)
    return sent["event"], sent["data"].get("id"), sent["data"].get("version", 0)


def _query(service: Service, statement: str) -> list:
    engine = create_engine(service.servers.database_url)
    with engine.connect() as connection:
        rows = connection.execute(text(statement)).all()
    engine.dispose()
    return list(rows)


def _until_delivered(service: Service, receivers: list[Receiver]) -> None:
    pending = "SELECT FROM webhook_deliveries WHERE status = 'pending' LIMIT 1"
    service.wait_until(lambda: not _query(service, pending), DRAINED)


def until_idle(service: Service, *_: object) -> None:
    """No job waits or runs: what has not been done by a job will never be."""
    with redis.Redis.from_url(service.servers.redis_url) as connection:
        queue = Queue("default", connection=connection, serializer=JSONSerializer)
        service.wait_until(lambda: not queue.count and not queue.started_job_registry.count, DRAINED)


def test_every_acknowledged_change_reaches_every_receiver_whatever_is_killed(tmp_path_factory):
    outcome = play(tmp_path_factory.mktemp("faults"))
    print(f"{outcome.kills} kills, {len(outcome.acknowledged)} changes, {outcome.duplicates():.3%} duplicates")
    assert outcome.kills >= SECONDS * ROUNDS / 4
    assert len(outcome.acknowledged) >= SECONDS * ROUNDS * 2
    assert outcome.lost() == set()
    assert outcome.phantoms() == set()
    assert outcome.duplicates() < 0.01
    for changes in outcome.changes:  # a change has one id, however often it arrives
        assert len(set(changes.values())) == len(changes)


def test_without_the_outbox_the_same_kills_lose_changes(tmp_path_factory):
    outcome = play(tmp_path_factory.mktemp("faults"), "tests.faults.no_outbox:app", until_idle)
    assert len(outcome.acknowledged) >= SECONDS * ROUNDS * 2
    assert outcome.lost()
