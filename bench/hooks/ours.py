"""Ours, measured: events written in a transaction, deliveries counted where they arrive."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import requests
from sqlalchemy import Engine, create_engine, text

from bench.hooks.receivers import Receivers
from bench.kit.running import Running
from catalog.stack import StackError
from catalog.webhooks import outbox

DRAIN_SECONDS = 120
ROWS = """
    SELECT json_build_object('id', n, 'name', 'Desk lamp', 'description', repeat('x', :size)) AS data
    FROM generate_series(1, :count) AS n"""


@dataclass
class Drained:
    """A backlog that was sent: how many deliveries, in how many seconds, with how much CPU of the sender."""

    deliveries: int
    seconds: float
    cpu_seconds: float


class Ours:
    """The running service's database, and webhooks of every receiver."""

    def __init__(self, running: Running, receivers: Receivers) -> None:
        self.receivers = receivers
        self._api = running.url
        self.engine: Engine = create_engine(f"postgresql+psycopg2://postgres@/catalog?host={running.sockets}")
        self.sender = psutil.Process(running.pid("webhooks"))

    def subscribe(self, timeout: int) -> None:
        """Make one webhook for each receiver, and forget all that was before."""
        with self.engine.begin() as connection:
            connection.execute(text("TRUNCATE webhooks, webhook_events, webhook_deliveries, webhook_attempts"))
        for url in self.receivers.urls:
            hook = {"url": url, "events": ["*"], "timeout_seconds": timeout, "secret": "hush"}
            requests.post(f"{self._api}/api/v1/webhooks", json=hook, timeout=10).raise_for_status()
        self.receivers.take()

    def drain(self, events: int, size: int) -> Drained:
        """Commit so many events at once, and wait until each has reached every receiver."""
        wanted = events * len(self.receivers.urls)
        with self.engine.begin() as connection:
            outbox.publish_rows(connection, "product.updated", ROWS, {"count": events, "size": size})
        cpu, began = self._cpu(), time.monotonic()
        self._ring()
        self._wait(wanted)
        return Drained(wanted, time.monotonic() - began, self._cpu() - cpu)

    def delays(self, events: int, per_second: float, size: int, unhealthy: set[int]) -> list[float]:
        """Commit events one by one at a steady pace; return the seconds from commit to each healthy receiver."""
        committed: dict[str, float] = {}
        for _ in self._paced(events, per_second):
            data = {"id": 1, "name": "Desk lamp", "description": "x" * size}
            with self.engine.begin() as connection:
                outbox.publish(connection, "product.updated", data)
                newest = connection.execute(text("SELECT id FROM webhook_events ORDER BY id DESC LIMIT 1")).scalar()
            committed[str(newest)] = time.monotonic()
            self._ring()
        time.sleep(3)
        arrived = [(identity, at) for number, identity, at in self.receivers.take() if number not in unhealthy]
        if len({*arrived}) < events * (len(self.receivers.urls) - len(unhealthy)):
            raise StackError("Not every delivery to a healthy receiver arrived in time.")
        return [at - committed[identity] for identity, at in arrived]

    @staticmethod
    def _paced(events: int, per_second: float) -> Iterator[None]:
        began = time.monotonic()
        for number in range(events):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            yield

    def _ring(self) -> None:
        with self.engine.begin() as connection:
            outbox.ring(connection)

    def _wait(self, wanted: int) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while self.receivers.count() < wanted:
            if time.monotonic() > end:
                raise StackError(f"{self.receivers.count()} of {wanted} deliveries in {DRAIN_SECONDS} s.")
            time.sleep(0.02)

    def _cpu(self) -> float:
        times: Any = self.sender.cpu_times()
        return float(times.user + times.system)


@contextmanager
def ours(running: Running, receivers: Receivers) -> Iterator[Ours]:
    """Measure; the connections are closed afterwards."""
    measured = Ours(running, receivers)
    try:
        yield measured
    finally:
        measured.engine.dispose()
