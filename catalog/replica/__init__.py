"""Reads that a replica of the database may answer: lists, searches and exports, never what needs the latest.

    @reads                                            on a service function of a session, which then is not passed
    def search(session: Session, query): ...          search(query)

The replica is asked only in a request that does not write, for a caller that has not written lately and does not ask
for the latest (`Cache-Control: no-cache`), while it is known to be less behind than DATABASE_REPLICA_MAX_LAG_SECONDS.
Whatever goes wrong there is asked of the primary. docs/adr/0022-replica.md says why.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg2
from flask import Flask, Response, current_app, g, has_request_context, request
from psycopg2.errors import QueryCanceled
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from catalog import access, cache, metrics
from catalog.cache.client import Client
from catalog.database import in_transaction
from catalog.extensions import db
from catalog.ratelimits import callers
from catalog.replica.marks import Marks
from catalog.replica.watch import State, Watch

__all__ = ["State", "first", "of", "only_reads", "reads", "register", "wrote"]

log = logging.getLogger(__name__)

HEADER = "X-Replica-Lag"
READING = ("GET", "HEAD", "OPTIONS")
CONNECT_SECONDS = 2
LOCK_SECONDS = 1  # a migration's lock is replayed there, and kept for as long as the replay is held up
FAILURES = (DBAPIError, PoolTimeout, psycopg2.Error)
ITS_OWN = (OperationalError, PoolTimeout, psycopg2.OperationalError)  # what else fails there fails on the primary too

P = ParamSpec("P")
T = TypeVar("T")


class Replica:
    """One application's replica."""

    def __init__(self, app: Flask):
        settings = app.config
        longest_lag = settings["DATABASE_REPLICA_MAX_LAG_SECONDS"]
        client = cache.of(app).client or Client(settings["CACHE_REDIS_URL"])
        self.engine = create_engine(settings["DATABASE_REPLICA_URL"], **_engine_options(app))
        self.watch = Watch(cache.of(app).engine, self.engine, longest_lag)
        self.marks = Marks(client, settings["CACHE_PREFIX"], longest_lag)

    def state(self) -> State:
        """Return how it is, waiting for the first look at it."""
        return self.watch.state(wait_seconds=2)

    def failed(self, error: Exception) -> None:
        """Note that a read failed; if that may be the replica's fault, it is left out until it answers the watch."""
        log.warning("The replica failed, the primary is asked: %s", error)
        if isinstance(error, ITS_OWN):
            self.watch.suspect()
        metrics.replica_reads["failed"].inc()


def register(app: Flask) -> None:
    """Give the application its replica, where DATABASE_REPLICA_URL names one; it connects when it is first used."""
    app.extensions["catalog-replica"] = Replica(app) if app.config["DATABASE_REPLICA_URL"] else None
    if of(app):
        app.after_request(_tell)


def of(app: Flask) -> Replica | None:
    """Return an application's replica, or None where it has none."""
    return app.extensions["catalog-replica"]  # type: ignore[no-any-return]


def reads(ask: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Decorate a function of a session that only reads, and whose answer may be a little old.

    What it returns belongs to no session, so all of it must be loaded. It may be called a second time, for the primary.
    """

    @functools.wraps(ask)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        def on_replica(engine: Engine) -> T:
            with Session(engine, expire_on_commit=False) as session:
                return ask(session, *args, **kwargs)

        return _first(on_replica, lambda: ask(db.session(), *args, **kwargs))

    return wrapper


def first(ask: Callable[[Engine], T]) -> T:
    """Ask the replica if it may be asked, else or if that fails the primary; for who needs an engine."""
    return _first(ask, lambda: ask(db.engine))


def only_reads() -> None:
    """Say that the current request changes nothing, although its method is not GET."""
    g.only_reads = True


def wrote(asked_by: Mapping[str, str | None] | None = None) -> None:
    """Note that something was written for `asked_by` (`audit.service.who()`); None: for the caller.

    Requests are noted by themselves. This is for what is done for someone later, as the last step before the commit.
    """
    replica = of(current_app)
    if replica is not None:
        replica.marks.set(callers.who() if asked_by is None else _named(asked_by))


def _named(asked_by: Mapping[str, str | None]) -> str:
    caller = access.Caller(asked_by["id"] or "", asked_by["name"] or "", asked_by["address"])
    return callers.counted_for(caller)


def _first(on_replica: Callable[[Engine], T], on_primary: Callable[[], T]) -> T:
    replica = of(current_app)
    if replica is None or not has_request_context() or _writes() or in_transaction():
        return on_primary()
    state = replica.watch.state()
    refused = _refusal(replica, state)
    if refused:
        metrics.replica_reads[refused].inc()
        return on_primary()
    try:
        found = on_replica(replica.engine)
    except FAILURES as error:
        if isinstance(getattr(error, "orig", error), QueryCanceled):  # it took too long; it would there
            raise
        replica.failed(error)
        return on_primary()
    metrics.replica_reads["replica"].inc()
    g.replica_lag = max(g.get("replica_lag", 0.0), state.lag or 0.0)
    return found


def _writes() -> bool:
    return request.method not in READING and not g.get("only_reads", False)


def _refusal(replica: Replica, state: State) -> str | None:
    """Return why the replica is not to be asked, in the words of the metric."""
    asked = request.cache_control
    if asked.no_cache or asked.no_store or asked.max_age == 0:
        return "latest_asked_for"
    if not state.usable:
        return "behind" if state.lag is not None else "unknown"
    return "own_write" if replica.marks.wrote(callers.who()) else None


def _tell(response: Response) -> Response:
    """Mark who has written, and say how old at most an answer of the replica is."""
    if _writes() and not 400 <= response.status_code < 500:
        wrote()
    if "replica_lag" in g:
        response.headers[HEADER] = f"{g.replica_lag:.2f}"
    return response


def _engine_options(app: Flask) -> dict[str, Any]:
    """Return the primary's options, read-only. A dead connection falls back to the primary on use."""
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    arguments = options["connect_args"]
    for_reading = f"{arguments['options']} -c default_transaction_read_only=on -c lock_timeout={LOCK_SECONDS}s"
    connecting = {**arguments, "options": for_reading, "connect_timeout": CONNECT_SECONDS}
    return {**options, "pool_pre_ping": False, "connect_args": connecting}
