"""One thread a process that knows how far the replica is behind, and frees the reads that hang on it."""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from catalog import metrics
from catalog.replica.asking import Asking
from catalog.replica.lag import Lag

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
PATIENCE_SECONDS = 1.0  # a replica that is silent for longer is left out

_IDENTITY = "(SELECT system_identifier FROM pg_control_system()) || '/' || current_database()"
# A message in the WAL, flushed: what was committed before it comes before it, and what is flushed a replica gets, also
# where nobody writes. Any other position may be one that is not sent before the next commit.
_MARK = text(f"SELECT pg_logical_emit_message(false, 'catalog', ''::text, true) - '0/0'::pg_lsn, {_IDENTITY}")
_REPLAYED = f"SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() - '0/0'::pg_lsn, {_IDENTITY}"


class NoReplica(Exception):
    """The server is not a replica of the primary."""


@dataclass(frozen=True)
class State:
    """What is known of the replica: `lag` in seconds, None where it is not known; `milliseconds` of its last answer."""

    usable: bool
    lag: float | None
    milliseconds: float


class Watch:
    """Watches one replica from its first use on."""

    def __init__(self, primary: Engine, replica: Engine, longest_lag: float):
        _, parameters = replica.dialect.create_connect_args(replica.url)
        self._primary, self._longest_lag = primary, longest_lag
        self._asking = Asking({**parameters, "application_name": "catalog-watch"}, PATIENCE_SECONDS)
        self._connections = Connections(replica)
        self._lag, self._identity = Lag(), ""
        self._answers, self._milliseconds = False, 0.0
        self._starting, self._asked, self._stopping = threading.Lock(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def state(self, wait_seconds: float = 0) -> State:
        """Return how the replica is, or is not known to be; waits so long for the first look at it."""
        self._start()
        self._asked.wait(wait_seconds)
        lag = self._lag.seconds()
        usable = self._answers and lag is not None and lag <= self._longest_lag
        return State(usable, lag, self._milliseconds)

    def suspect(self) -> None:
        """Leave the replica out until it has answered again."""
        self._answers = False

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self._asking.close()

    def _start(self) -> None:
        """Start the thread, after the fork and again should it ever end."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="replica", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._note_primary()
            self._look()
            self._asked.set()
            self._stopping.wait(TICK_SECONDS)

    def _note_primary(self) -> None:
        moment = time.monotonic()
        try:
            with self._primary.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                position, self._identity = connection.execute(_MARK).one()
        except SQLAlchemyError as error:
            log.debug("The primary does not say where it is: %s", error)  # then the lag grows by itself
        else:
            self._lag.note(moment, int(position))

    def _look(self) -> None:
        started = time.monotonic()
        try:
            self._lag.reached(self._position())
        except (psycopg2.Error, NoReplica, TimeoutError) as error:
            self._leave_out(error)
        else:
            if not self._answers:
                log.warning("The replica answers")
            self._answers = True
        self._milliseconds = (time.monotonic() - started) * 1000
        metrics.replica_lag.set(self._lag.seconds() or 0)

    def _position(self) -> int:
        replays, position, identity = self._asking.row(_REPLAYED)
        if not replays or identity != self._identity:
            raise NoReplica("It is no replica of the database that DATABASE_URL names")
        return int(position)

    def _leave_out(self, error: Exception) -> None:
        if self._answers or not self._asked.is_set():
            log.warning("The replica is left out: %s", error)
        self._answers = False
        if isinstance(error, NoReplica):
            self._lag.forget()
        self._connections.cut()


class Connections:
    """The connections that an engine's pool has open."""

    def __init__(self, engine: Engine):
        self._open: dict[int, Any] = {}
        self._lock = threading.Lock()
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "close", self._closing)

    def _opened(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._open[id(connection)] = connection

    def _closing(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._open.pop(id(connection), None)

    def cut(self) -> None:
        """End them from below: whoever waits for an answer on one gets an error at once."""
        with self._lock:
            for connection in self._open.values():
                with suppress(psycopg2.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as plain:
                    plain.shutdown(socket.SHUT_RDWR)
