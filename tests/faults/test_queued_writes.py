"""Whatever is killed, every write that was answered for is made exactly once, or is seen to have failed.

CATALOG_FAULT_SECONDS makes it longer; CI runs one short round, in which each kind of fault comes at least once.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
import requests
from sqlalchemy import create_engine, text

from tests.faults.promises import TAKEN, Promise, Promises
from tests.faults.service import Service, running
from tests.faults.test_webhooks import DRAINED, strike_for, until_idle

SECONDS = float(os.environ.get("CATALOG_FAULT_SECONDS", "10"))


class Writing(Service):
    """The service without a webhook sender, whose faults are those that a queued write meets."""

    def __init__(self, folder: Path, wsgi: str = "wsgi:app") -> None:
        super().__init__(folder, wsgi)
        self.processes.remove(self.sender)

    def _faults(self) -> dict[str, tuple[int, Callable[[], None]]]:
        present = super()._faults()
        weights = {"a web worker": 4, "the worker": 5, "the queue's Redis": 3, "the queue's Redis, wiped": 2}
        others = {name: (1, present[name][1]) for name in ("the web server", "the clock", "PostgreSQL")}
        flushed = {"the queue's Redis, flushed": (3, self._flush_queue)}
        return {name: (weight, present[name][1]) for name, weight in weights.items()} | others | flushed

    def _flush_queue(self) -> None:
        redis.Redis.from_url(self.servers.redis_url).flushall()


@dataclass
class Outcome:
    """What was promised, and what there is after the last kill."""

    promises: Promises
    products: dict[str, tuple[int, int]]  # stock and version of each
    doubled: list[Any]  # titles that two products have, products that were created twice, changes told twice
    failed: list[str]  # the jobs of which product.write_failed tells
    listed: int  # how many the list of failed writes has
    kills: int

    def broken(self) -> list[Promise]:
        """Promised products that are missing, or not as promised: each change counts the version up by one."""
        return [promise for promise in self.promises.kept if not self._holds(promise)]

    def _holds(self, promise: Promise) -> bool:
        stock, version = self.products.get(promise.product_id, (-1, 0))
        possible = {promise.count, promise.count + promise.unsure}
        return stock in possible and version == stock + 1


def play(folder: Path, wsgi: str = "wsgi:app", settled: Callable[[Service], None] | None = None) -> Outcome:
    chance = random.Random(7)
    with running(folder, wsgi, Writing) as service:
        taken = {"name": "Taken", "sku": TAKEN}
        requests.post(f"{service.url}/api/v1/products", json=taken, timeout=5).raise_for_status()
        with Promises(f"{service.url}/graphql").asked_for() as promises:
            strike_for(service, SECONDS, chance, lambda: promises.writes)
            service.lose_the_queue()
            service.mend()
        service.mend()
        (settled or _until_applied)(service)
        return _outcome(service, promises)


def _outcome(service: Service, promises: Promises) -> Outcome:
    products = _query(service, "SELECT id, stock_quantity, version FROM products")
    listed = requests.get(f"{service.url}/api/v1/products/writes?state=failed", timeout=10).json()["total"]
    failures = _query(service, "SELECT data->>'job_id' FROM webhook_events WHERE name = 'product.write_failed'")
    return Outcome(
        promises,
        {str(row[0]): (row[1], row[2]) for row in products},
        [row for statement in DOUBLED for row in _query(service, statement)],
        [row[0] for row in failures],
        listed,
        service.kills,
    )


DOUBLED = (
    "SELECT name FROM products GROUP BY name HAVING count(*) > 1",
    "SELECT data->>'id' FROM webhook_events WHERE name = 'product.created' GROUP BY 1 HAVING count(*) > 1",
    "SELECT data->>'id', data->>'version' FROM webhook_events WHERE name = 'product.updated' GROUP BY 1, 2"
    " HAVING count(*) > 1",
)


def _query(service: Service, statement: str) -> list[Any]:
    engine = create_engine(service.servers.database_url)
    with engine.connect() as connection:
        rows = connection.execute(text(statement)).all()
    engine.dispose()
    return list(rows)


def _until_applied(service: Service) -> None:
    # They come faster than they are made.
    queued = "SELECT FROM product_writes WHERE state = 'queued' LIMIT 1"
    service.wait_until(lambda: not _query(service, queued), DRAINED + 3 * SECONDS)


def test_every_write_that_was_answered_for_is_made_once_or_seen_to_fail_whatever_is_killed(tmp_path_factory):
    outcome = play(tmp_path_factory.mktemp("writes"))
    promises = outcome.promises
    print(
        f"{outcome.kills} kills, {promises.writes} writes answered, {promises.at_once} of them at once, "
        f"{promises.unanswered} unanswered, {len(outcome.failed)} failed, {len(outcome.broken())} lost"
    )
    assert outcome.kills >= SECONDS / 4
    assert promises.writes >= SECONDS * 2
    assert outcome.broken() == []
    assert promises.denied == []
    assert outcome.doubled == []
    assert promises.refused <= set(outcome.failed)
    assert len(set(outcome.failed)) == len(outcome.failed) == outcome.listed


def test_with_the_job_as_the_only_record_the_same_kills_lose_writes(tmp_path_factory):
    outcome = play(tmp_path_factory.mktemp("writes"), "tests.faults.no_row:app", until_idle)
    assert outcome.promises.writes >= SECONDS * 2
    assert outcome.broken()
