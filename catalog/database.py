"""Transactions: one for each request or job, what is to happen before its commit and what after."""

import logging
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable, Row, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session

from catalog.extensions import db

log = logging.getLogger(__name__)

LOCK_POLL_SECONDS = 0.1
IDLE_SECONDS = 60  # a transaction of a request in which nothing happens

_STATE = "catalog_transaction"


@dataclass
class _State:
    """What belongs to one open transaction and ends with it."""

    before: list[Callable[[], object]] = field(default_factory=list)
    after: list[Callable[[], object]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@contextmanager
def transaction() -> Iterator[Session]:
    """Run a block as one transaction and yield the session; inside another `transaction()` join that one.

    At the end of the outermost block runs what `before_commit()` collected, then the commit, then what
    `after_commit()` did; an exception rolls everything back, drops those callbacks and goes on to the caller.
    """
    session = db.session()
    if session.info.get(_STATE):
        yield session
        return
    state = session.info[_STATE] = _State()
    try:
        yield session
        for callback in state.before:
            callback()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop(_STATE, None)
    _run_callbacks(state)


def delete_in_batches(statement: Executable, parameters: dict[str, Any], batch: int, most_batches: int) -> int:
    """Repeat a DELETE of at most `batch` rows until it finds fewer, each in a transaction of its own; return how many.

    It locks few rows for a moment, and ends after `most_batches`, so that other sweeps are not held up.
    """
    deleted = 0
    for _ in range(most_batches):
        with transaction() as session:
            result = session.execute(statement, parameters)
            assert isinstance(result, CursorResult)
            deleted += result.rowcount
            if result.rowcount < batch:
                break
    return deleted


def take_advisory_lock(connection: Connection, key: int) -> None:
    """Take an advisory lock for the connection's session as soon as no other one has it.

    Polls, since a statement that waits holds a snapshot, and an index that the lock's holder builds concurrently waits
    for all snapshots.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
        connection.commit()
        time.sleep(LOCK_POLL_SECONDS)
    connection.commit()


def execute_alone(statement: Executable, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
    """Run one statement as a transaction of its own, and return its row: one round trip instead of three.

    Inside a transaction(), or where the session is kept to one connection, it joins that one.
    """
    engine = db.engine
    if in_transaction() or not isinstance(engine, Engine):
        with transaction() as session:
            return session.execute(statement, parameters).one_or_none()
    with engine.connect() as connection, _committing_by_itself(connection):
        return connection.execute(statement, parameters).one_or_none()


@contextmanager
def _committing_by_itself(connection: Connection) -> Iterator[None]:
    """Let each statement be a transaction; `isolation_level` would do so too, for two settings sent to PostgreSQL."""
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def renew_broken_connections(engine: Engine) -> None:
    """Replace a pooled connection that PostgreSQL has ended before it is used; the others cost no round trip.

    An end can be read from the socket, as can some news; so only where there is something to read it is asked.
    """

    @event.listens_for(engine, "checkout")
    def _(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.closed or (_has_news(connection.fileno()) and not _answers(engine, connection)):
            raise DisconnectionError("PostgreSQL has ended the connection")


def _has_news(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        return False


def bound_waits(engine: Engine, lock_seconds: int) -> None:
    """Bound how long a web process waits for locks, and PostgreSQL for it; jobs wait as long as they need to."""
    bounds = f" -c lock_timeout={lock_seconds}s -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"

    @event.listens_for(engine, "do_connect")
    def _(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["options"] = parameters.get("options", "") + bounds


def in_transaction() -> bool:
    """Tell whether a transaction() is open, so that what is read may not be committed yet."""
    return _STATE in db.session().info


def before_commit(callback: Callable[[], object]) -> None:
    """Call `callback` as the last step of the current transaction; what it raises rolls back.

    Raises RuntimeError outside a transaction.
    """
    _open_state("before_commit").before.append(callback)


def after_commit(callback: Callable[[], object]) -> None:
    """Call `callback` once the current transaction is committed, never if it rolls back.

    Our own list, since SQLAlchemy's event of that name also fires when a savepoint ends.
    Raises RuntimeError outside a transaction, where nothing would ever call it.
    """
    _open_state("after_commit").after.append(callback)


def transaction_notes() -> dict[str, Any]:
    """Return a dict that lives as long as the current transaction. Raises RuntimeError outside one."""
    return _open_state("transaction_notes").notes


def _open_state(caller: str) -> _State:
    state: _State | None = db.session().info.get(_STATE)
    if state is None:
        raise RuntimeError(f"{caller}() needs an open transaction()")
    return state


def _run_callbacks(state: _State) -> None:
    """Run the callbacks after commit; log one that fails, and run the others."""
    for callback in state.after:
        try:
            callback()
        except Exception:
            log.exception("A callback after commit failed")
