"""The lease: one worker at a time runs an import, proves it in every transaction, and renews it by heartbeat."""

import logging
import threading
import time
import uuid
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from catalog.imports import progress

log = logging.getLogger(__name__)

LEASE_SECONDS = 15
BEAT_SECONDS = 0.5

_ACQUIRE = text(f"""
    UPDATE imports
    SET state = 'running', lease_token = :token, attempts = attempts + 1,
        lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds',
        started_at = coalesce(started_at, clock_timestamp())
    WHERE id = :id AND (state = 'pending' OR state = 'running' AND lease_until < clock_timestamp())
    RETURNING percent""")
_RENEW = text(f"""
    UPDATE imports
    SET lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds', percent = greatest(percent, :percent)
    WHERE id = :id AND lease_token = :token
    RETURNING cancel_requested, {", ".join(progress.COLUMNS)}""")


class LeaseLost(Exception):
    """Another worker has the import, or may soon: whatever is not committed must not be."""


class Cancelled(Exception):
    """Someone asked for the import to stop."""


class Lease:
    """A held lease. As a context manager it renews itself every half second, and shows the progress."""

    def __init__(self, engine: Engine, import_id: uuid.UUID, token: uuid.UUID, board: progress.Board):
        self.engine, self.id, self.token, self.board = engine, import_id, token, board
        self.percent = 0
        self._cancelled = self._lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{import_id}", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise LeaseLost or Cancelled when it is time to stop."""
        if self._lost:
            raise LeaseLost
        if self._cancelled:
            raise Cancelled

    def reached(self, percent: int) -> None:
        """Note the progress, which never goes back and stays below 100 until the end."""
        self.percent = max(self.percent, min(percent, 99))

    def keys(self) -> dict[str, Any]:
        """Return what the WHERE of every statement on the import's row needs: id and token."""
        return {"id": self.id, "token": self.token}

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._lost and not self._stop.wait(BEAT_SECONDS):
            try:
                self._renew()
                renewed = time.monotonic()
            except SQLAlchemyError as error:
                log.warning("The lease on import %s was not renewed: %s", self.id, error)
                self._lost = time.monotonic() - renewed > LEASE_SECONDS

    def _renew(self) -> None:
        with self.engine.begin() as connection:
            row = connection.execute(_RENEW, {**self.keys(), "percent": self.percent}).mappings().one_or_none()
        if row is None:
            self._lost = True
            return
        self._cancelled = row["cancel_requested"]
        self.board.show(self.id, {name: row[name] for name in progress.COLUMNS})


def acquire(engine: Engine, import_id: uuid.UUID, board: progress.Board) -> Lease | None:
    """Take the lease on an import that is pending, or whose worker has gone; None where there is nothing to do."""
    token = uuid.uuid4()
    with engine.begin() as connection:
        row = connection.execute(_ACQUIRE, {"id": import_id, "token": token}).one_or_none()
    return Lease(engine, import_id, token, board) if row else None


def prove(connection: Connection, lease: Lease, assignments: str, **values: Any) -> None:
    """Write to the import's row under the lease, as a transaction's last statement. Raises LeaseLost."""
    statement = text(f"UPDATE imports SET {assignments} WHERE id = :id AND lease_token = :token")
    if connection.execute(statement, {**lease.keys(), **values}).rowcount != 1:
        raise LeaseLost
