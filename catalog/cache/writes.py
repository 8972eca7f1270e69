"""Invalidation: a fence before the commit, a row in it, the clearing after it; and what if Redis is away."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from catalog import metrics
from catalog.cache import protocol
from catalog.cache.client import Client, Unreachable
from catalog.cache.models import FENCED, LOST, OUTAGE
from catalog.cache.trust import TRUST_SECONDS

log = logging.getLogger(__name__)

# A fifth more than trust lasts: the server's clock may run that much slower than ours.
UNTIL_NOBODY_TRUSTS = TRUST_SECONDS * 1.2

_ADD = "INSERT INTO cache_invalidations (names, fence, state) VALUES (%s, %s, %s) RETURNING id"
# The lock keeps the sweeper from ending the outage before this write is committed.
_LOCK_OUTAGE = "SELECT id FROM cache_invalidations WHERE state = 'outage' ORDER BY id LIMIT 1 FOR KEY SHARE"
_SET_STATE = "UPDATE cache_invalidations SET state = %s WHERE id = %s"


class Writer:
    """Makes the cache forget, in step with a transaction's commit."""

    def __init__(self, client: Client | None, keys: protocol.Keys, engine: Engine):
        self._client, self._keys, self._engine = client, keys, engine

    @contextmanager
    def invalidating(self, connection: Any, names: Sequence[str]) -> Iterator[None]:
        """Commit inside the block what makes `names` wrong: `with invalidating(raw, ["product:*"]): raw.commit()`.

        `connection` is psycopg2's, with the change already written to it. When the block is left, no reader
        that starts now gets what was there before. A commit that fails leaves a fence that ends by itself.
        """
        if not names:
            yield
            return
        invalidation = Invalidation(self, names)
        invalidation.before_commit(connection)
        yield
        invalidation.after_commit()

    def fence(self, names: Sequence[str], fence: str) -> bool:
        """Refuse copies of these names until cleared; tell whether Redis took it."""
        return self._tell(protocol.FENCE, names, fence, protocol.FENCE_MILLISECONDS)

    def clear(self, names: Sequence[str], fences: Sequence[str]) -> bool:
        """Forget these names and their own fences, but not another writer's; tell whether Redis did.

        What a server forgot that had been replaced before counts for nothing: others read the next one.
        """
        return self._tell(protocol.CLEAR, names, *fences) and self._is_believed()

    def _is_believed(self) -> bool:
        try:
            if self._client:
                self._client.confirm()
        except Unreachable:
            return False
        return True

    def forget_everything(self) -> bool:
        """End all copies at once, by ending the epoch they are stamped with; tell whether Redis did."""
        return self._run(protocol.CLEAR, [self._keys.trust, self._keys.epoch], "", "")

    def _tell(self, script: str, names: Sequence[str], *arguments: str | int) -> bool:
        return self._run(script, [self._keys.of(name) for name in names], *arguments)

    def _run(self, script: str, keys: Sequence[str], *arguments: str | int) -> bool:
        if self._client is None:
            return False
        try:
            self._client.run(script, keys, *arguments)
        except Unreachable:
            return False
        return True

    def set_state(self, row: int, state: str) -> None:
        """Change a row in a transaction of its own; a failure is logged: the sweeper clears the row anyway."""
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(_SET_STATE, (state, row))
        except SQLAlchemyError as error:
            log.warning("The invalidation %s could not be marked as %s: %s", row, state, error)


class Invalidation:
    """What one transaction makes wrong."""

    def __init__(self, writer: Writer, names: Sequence[str] = ()):
        self._writer = writer
        self._names = dict.fromkeys(names)  # a set that keeps its order
        self._fence = protocol.token("F")
        self._row: int | None = None
        self._fenced = False

    def add(self, names: Sequence[str]) -> None:
        """Take further names in."""
        self._names.update(dict.fromkeys(names))

    def before_commit(self, connection: Any) -> None:
        """Fence, and add the row that outlives this process; the last thing before COMMIT.

        Raises psycopg2's errors, which are to end the transaction.
        """
        names = list(self._names)
        metrics.cache_invalidations.inc(len(names))
        self._fenced = self._writer.fence(names, self._fence)
        with connection.cursor() as cursor:
            if not self._fenced and self._joined_outage(cursor):
                return
            cursor.execute(_ADD, (names, self._fence, FENCED if self._fenced else LOST))
            self._row = cursor.fetchone()[0]

    @staticmethod
    def _joined_outage(cursor: Any) -> bool:
        """Tell whether the row of a known outage stands for this write too, and hold it until the commit."""
        metrics.cache_invalidations_lost.inc()
        cursor.execute(_LOCK_OUTAGE)
        return cursor.fetchone() is not None

    def after_commit(self) -> None:
        """Clear. If Redis cannot be told, return only when nobody trusts the cache any more."""
        if self._row is None:
            return
        names = list(self._names)
        if self._fenced:
            if self._writer.clear(names, [self._fence] * len(names)):
                return
            self._writer.set_state(self._row, LOST)
        time.sleep(UNTIL_NOBODY_TRUSTS)
        self._writer.set_state(self._row, OUTAGE)
