"""Phase 2 of an import: the rows go to `products` in chunks, each of them one transaction of its own.

A chunk commits together with its number, its counts and the proof of the lease, so that a killed import
goes on after the last one and none is applied twice. Every transaction takes its locks in the order of the
keys and the import's own row last, so imports of the same rows wait for each other and never in a circle.
With `on_error=abort` all chunks are one transaction: all or nothing.
"""

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from catalog import cache
from catalog.imports import telling
from catalog.imports.feed import READ_PERCENT
from catalog.imports.lease import Lease, LeaseLost, prove
from catalog.imports.statements import Plan

log = logging.getLogger(__name__)

CHUNK_ROWS = 10_000
CHUNK_TIMEOUT_SECONDS = 300
TRIES = 5
_WORTH_A_RETRY = ("40001", "40P01", "23505")  # serialization, deadlock, a number or SKU taken in between


class Refused(Exception):
    """A row does not fit the mode, and the import is to be all or nothing."""


@dataclass
class Counts:
    """What became of the rows of a chunk, or of several."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    @property
    def changes(self) -> int:
        """How many products are not as they were."""
        return self.created + self.updated

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


class Loader:
    """Applies the staged rows of one import."""

    def __init__(self, lease: Lease, plan: Plan, rows: int):
        self.lease, self.plan, self.rows = lease, plan, rows
        self._statements: list[TextClause] = [text(statement) for statement in plan.statements()]
        self._cache = cache.current().writer  # the connections' threads have no application context
        self._done = 0

    def apply(self, connections: int) -> None:
        """Apply all chunks that are not applied yet, over so many connections at once.

        Raises LeaseLost and Cancelled; what is committed by then stays applied and counted.
        """
        batches = deque((number,) for number in self._missing())
        with ThreadPoolExecutor(connections, thread_name_prefix="loader") as pool:
            workers = [pool.submit(self._work_off, batches) for _ in range(connections)]
            try:
                for worker in as_completed(workers):
                    worker.result()
            finally:
                batches.clear()  # whatever ends one, ends them all after their present chunk

    def apply_all_or_nothing(self) -> None:
        """Apply all chunks in one transaction. Raises Refused, LeaseLost and Cancelled: then nothing is applied."""
        if missing := self._missing():
            self._apply(missing, atomic=True)

    def record_misfits(self) -> int:
        """Record the rows that the mode refuses; return how many."""
        with self.lease.engine.begin() as connection:
            found = connection.execute(text(self.plan.misfits()), {"id": self.lease.id}).rowcount
            prove(connection, self.lease, "rejected = rejected + :found", found=found)
        return found

    def _missing(self) -> list[int]:
        with self.lease.engine.connect() as connection:
            done = set(
                connection.scalars(
                    text("SELECT number FROM import_chunks WHERE import_id = :id"), {"id": self.lease.id}
                )
            )
        self._done = len(done)
        chunks = -(-self.rows // CHUNK_ROWS)
        return [number for number in range(1, chunks + 1) if number not in done]

    def _work_off(self, batches: "deque[tuple[int]]") -> None:
        while True:
            try:
                batch = batches.popleft()
            except IndexError:
                return
            self._apply(batch)

    def _apply(self, batch: Sequence[int], *, atomic: bool = False) -> None:
        """Apply a batch; it is rolled back and tried again where others were in the way."""
        for tries_left in reversed(range(TRIES)):
            try:
                self._apply_once(batch, atomic=atomic)
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) not in _WORTH_A_RETRY or not tries_left:
                    raise
                log.warning("Import %s tries chunk %s again: %s", self.lease.id, batch[0], error.orig)
            else:
                return

    def _apply_once(self, batch: Sequence[int], *, atomic: bool) -> None:
        with self.lease.engine.connect() as connection:
            # A crash of PostgreSQL may take the last chunks with it, but never their rows without their
            # numbers; the end of the import is committed for good, and everything before it with it.
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(text(f"SET LOCAL statement_timeout = '{CHUNK_TIMEOUT_SECONDS}s'"))
            # A table that was empty when it was last looked at seems cheaper to scan than its index, for
            # each of the rows: measured, 20,000 took 15.8 s instead of 1.1 s.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            counts = sum((self._apply_chunk(connection, number) for number in batch), Counts())
            if atomic and counts.rejected:
                raise Refused
            self._prove(connection, counts)
            with self._cache.invalidating(connection.connection, ["product:*"] if counts.changes else []):
                connection.commit()
        self._done += len(batch)

    def _apply_chunk(self, connection: Connection, number: int) -> Counts:
        self.lease.check()
        first, last = (number - 1) * CHUNK_ROWS + 1, min(number * CHUNK_ROWS, self.rows)
        parameters = {"id": self.lease.id, "first": first, "last": last}
        if self.plan.is_noted:
            telling.note_changes(connection)
        for statement in self._statements:
            result = connection.execute(statement, parameters).one()
        if self.plan.is_noted:
            telling.tell_changes(connection, self.plan.told, self.plan.audited_for)
        created, updated, rejected = result
        counts = Counts(created, updated, last - first + 1 - created - updated - rejected, rejected)
        self._note_chunk(connection, number, counts)
        return counts

    def _note_chunk(self, connection: Connection, number: int, counts: Counts) -> None:
        noted = connection.execute(
            text("""
            INSERT INTO import_chunks (import_id, number, created, updated, unchanged, rejected)
            VALUES (:id, :number, :created, :updated, :unchanged, :rejected) ON CONFLICT DO NOTHING"""),
            {"id": self.lease.id, "number": number, **vars(counts)},
        )
        if noted.rowcount != 1:
            raise LeaseLost  # another worker was here

    def _prove(self, connection: Connection, counts: Counts) -> None:
        chunks = max(1, -(-self.rows // CHUNK_ROWS))
        self.lease.reached(READ_PERCENT + (100 - READ_PERCENT) * self._done // chunks)
        prove(
            connection,
            self.lease,
            "created = created + :created, updated = updated + :updated, unchanged = unchanged + :unchanged,"
            " rejected = rejected + :rejected, attempts = 0, percent = greatest(percent, :percent)",
            percent=self.lease.percent,
            **vars(counts),
        )
