"""What the service depends on, and how each of that is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis
from flask import current_app
from rq import Worker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from catalog import __version__, clock, draining, gate, jobqueue, replica
from catalog.extensions import db

FAILURES = (SQLAlchemyError, redis.RedisError, OSError)


def hello() -> dict[str, Any]:
    """Return the service's name, version and environment, and whether the database is reachable."""
    return {
        "service": "catalog",
        "version": __version__,
        "environment": current_app.config["CATALOG_ENV"],
        "database": "reachable" if _probe(_ask_database)["status"] == "ok" else "unreachable",
    }


def readiness() -> dict[str, Any]:
    """Return the state of each dependency with its latency, and the age of the last beats, in seconds.

    `status` is `ok`, `degraded` (Redis or the replica is away: all goes on), `unavailable` (PostgreSQL is) or
    `draining` (this web server is about to end).
    """
    dependencies = {
        "database": _probe(_ask_database),
        "queue": _probe(lambda: jobqueue.connection().ping()),
        "cache": _probe(lambda: jobqueue.client(current_app.config["CACHE_REDIS_URL"]).ping()),
    }
    if watched := replica.of(current_app):
        dependencies["replica"] = _replica(watched.state())
    return {
        "status": _overall(dependencies),
        "version": __version__,
        "access": "open" if gate.is_open(current_app.config) else "keys",
        "dependencies": dependencies,
        "last_beat_seconds": _beats() if dependencies["queue"]["status"] == "ok" else None,
    }


def _replica(state: replica.State) -> dict[str, Any]:
    lag = None if state.lag is None else round(state.lag, 2)
    status = "ok" if state.usable else "unavailable"
    return {"status": status, "milliseconds": round(state.milliseconds, 1), "lag_seconds": lag}


def _overall(dependencies: dict[str, dict[str, Any]]) -> str:
    if draining.has_begun():
        return "draining"
    if dependencies["database"]["status"] != "ok":
        return "unavailable"
    return "ok" if all(one["status"] == "ok" for one in dependencies.values()) else "degraded"


def _ask_database() -> None:
    try:
        db.session.execute(text("SELECT 1"))
    finally:
        db.session.rollback()


def _probe(ask: Callable[[], Any]) -> dict[str, Any]:
    """Check one dependency. Log the error only, since it may contain hosts and users."""
    started = time.perf_counter()
    try:
        ask()
    except FAILURES as error:
        current_app.logger.warning("A dependency does not answer: %s", error)
        return {"status": "unavailable", "milliseconds": _since(started)}
    return {"status": "ok", "milliseconds": _since(started)}


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _beats() -> dict[str, float | None]:
    try:
        beat = jobqueue.connection().get(clock.BEAT_KEY)
        workers = [worker.last_heartbeat for worker in Worker.all(connection=jobqueue.connection())]
    except FAILURES:
        return {"clock": None, "worker": None}
    ages = [(datetime.now(UTC) - heard.replace(tzinfo=UTC)).total_seconds() for heard in workers if heard]
    return {
        "clock": round(time.time() - float(beat), 1) if beat else None,
        "worker": round(min(ages), 1) if ages else None,
    }
