"""The clock process: sweeps for work that was left behind. Of several clocks one is elected."""

import logging
import signal
import threading
import time
from dataclasses import dataclass
from importlib import import_module

import redis
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from catalog import jobqueue
from catalog.extensions import db

log = logging.getLogger(__name__)

BEAT_KEY = "catalog:clock:beat"
TICK_SECONDS = 1.0
ELECTION_LOCK = 0x636C6F636B  # "clock": the advisory lock that the elected clock holds


@dataclass
class Sweep:
    """A service function, by dotted name, that the clock calls about every so many seconds."""

    function: str
    every_seconds: float
    due: float = 0.0

    def run(self) -> None:
        """Call the function; what it raises is logged, so that one sweep never stops the others."""
        self.due = time.monotonic() + self.every_seconds
        module, _, name = self.function.rpartition(".")
        try:
            getattr(import_module(module), name)()
        except Exception:
            log.exception("The sweep %s failed", self.function)
        finally:
            db.session.remove()


def sweeps() -> list[Sweep]:
    """Return everything that is swept: the visible list."""
    return [
        Sweep("catalog.cache.sweep", 0.5),
        Sweep("catalog.idempotency.prune", 60),
        Sweep("catalog.sessions.service.prune", 60),
        Sweep("catalog.audit.partitions.sweep", 3600),
        Sweep("catalog.products.bulk_delete.sweep", 5),
        Sweep("catalog.products.writes.sweep", 2),
        Sweep("catalog.products.writes.prune", 60),
        Sweep("catalog.imports.service.sweep", 5),
        Sweep("catalog.imports.service.prune", 3600),
        Sweep("catalog.imports.drafts.prune", 3600),
        Sweep("catalog.imports.arrivals.prune", 3600),
        Sweep("catalog.jobs.service.prune", 3600),
        Sweep("catalog.orders.service.sweep", 2),
        Sweep("catalog.webhooks.upkeep.sweep", 5),
        Sweep("catalog.webhooks.replay.sweep", 5),
        Sweep("catalog.webhooks.upkeep.prune", 60),
    ]


def run(app: Flask) -> None:
    """Tick until SIGTERM or SIGINT, whether PostgreSQL and Redis are there or not."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with app.app_context():
        while not stop.is_set():
            _reign(stop)
            stop.wait(TICK_SECONDS)


def _reign(stop: threading.Event) -> None:
    """Sweep for as long as this clock is the elected one and its database connection lives."""
    try:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            elected = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ELECTION_LOCK})
            planned = sweeps()
            while elected and not stop.is_set():
                connection.execute(text("SELECT 1"))  # the lock is gone with the connection
                _tick(planned)
                stop.wait(TICK_SECONDS)
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
    except SQLAlchemyError as error:
        log.warning("The clock waits for the database: %s", error)


def _tick(planned: list[Sweep]) -> None:
    _beat()
    for sweep in planned:
        if time.monotonic() >= sweep.due:
            sweep.run()


def _beat() -> None:
    try:
        jobqueue.connection().set(BEAT_KEY, time.time(), ex=3600)
    except redis.RedisError as error:
        log.warning("The clock's beat was not recorded: %s", error)
