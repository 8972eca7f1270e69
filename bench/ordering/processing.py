"""Orders per second that are processed, of a backlog: by ours and by one RQ job per order."""

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, text

from bench.kit.peers import Peers
from bench.kit.running import Running
from catalog.orders import seeds
from catalog.stack import StackError

DRAIN_SECONDS = 120
PRODUCTS = 1_000
CATALOG = [f"CAT-{number}" for number in range(1, PRODUCTS + 1)]
FAKE = [f"FAKE-{number}" for number in range(1, 21)]  # as many as the true one has


class Ours:
    """The running service's processing, which rests while a backlog is made."""

    def __init__(self, running: Running) -> None:
        self.url = f"{running.url}/api/v1/orders"
        self.engine = create_engine(f"postgresql+psycopg2://postgres@/catalog?host={running.sockets}")
        self.worker = running.pid("worker-orders")

    def add_products(self) -> None:
        """Add the products that orders are of."""
        added = "INSERT INTO products (sku, name, category, price) SELECT 'CAT-' || n, 'Thing ' || n, 'things', 9.95"
        with self.engine.begin() as connection:
            connection.execute(text(f"{added} FROM generate_series(1, {PRODUCTS}) AS n"))

    def forget(self) -> None:
        """Remove all orders."""
        with self.engine.begin() as connection:
            connection.execute(text("TRUNCATE orders, webhook_events, webhook_deliveries"))

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let the worker rest."""
        os.kill(self.worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.worker, signal.SIGCONT)

    def drain(self, orders: Sequence[dict[str, Any]]) -> float:
        """Submit the orders while the worker rests, then let it work; return the seconds until all are processed."""
        self.forget()
        with self.resting(), ThreadPoolExecutor(8) as threads:
            list(threads.map(self._submit, orders))
        began = time.monotonic()
        while (done := self._count("processed")) < len(orders):
            if time.monotonic() - began > DRAIN_SECONDS or self._count("failed"):
                raise StackError(f"{done} of {len(orders)} orders were processed, {self._count('failed')} failed.")
            time.sleep(0.01)
        return time.monotonic() - began

    def _submit(self, order: dict[str, Any]) -> None:
        body = json.dumps(order, default=float)
        headers = {"Content-Type": "application/json"}
        requests.post(self.url, body, headers=headers, timeout=10).raise_for_status()

    def _count(self, status: str) -> int:
        with self.engine.connect() as connection:
            return (
                connection.scalar(text("SELECT count(*) FROM orders WHERE status = :status"), {"status": status}) or 0
            )


def made(count: int, seed: int, skus: Sequence[str]) -> list[dict[str, Any]]:
    """Return orders of these SKUs."""
    return list(seeds.orders(count, seed, skus))


def one_job_each(peers: Peers, running: Running, orders: Sequence[dict[str, Any]], url: str) -> float:
    """Return the seconds of the peer for these orders, whose items it looks up at `url`."""
    file = Path(running.folder) / "orders.jsonl"
    file.write_text("".join(json.dumps(order, default=float) + "\n" for order in orders))
    return float(peers.run("rq_orders.py", running.redis_url, file, url)["seconds"])
