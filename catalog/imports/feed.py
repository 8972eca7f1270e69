"""What COPY reads: the valid rows of a file, in parts; the refused rows are put aside on the way.

PostgreSQL takes in one part on another core while Python makes the next, so no thread is needed for that.
"""

import csv
import logging
import tempfile
import uuid
from collections.abc import Iterator
from typing import IO

from catalog.imports.check import SEPARATOR, Checker, RowRejected, escaped, raw_json
from catalog.imports.lease import Lease
from catalog.imports.reader import Record

log = logging.getLogger(__name__)

ROWS_A_PART = 1_000
READ_PERCENT = 25  # where the progress is when everything is read


def _spool() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", newline="")


class Feed:
    """A file for COPY with lines of `line number, cells…`, and after those the row as JSON with `keep_raw`.

    `rows`, `valid` and `rejected` count what was read so far; `rejects` is a file for COPY into
    import_errors, on disk, since every row may be refused; `failure` is the error that ended the reading.
    """

    def __init__(self, records: Iterator[Record], checker: Checker, lease: Lease, expected: int, *, keep_raw: bool):
        self.rows = self.valid = self.rejected = 0
        self.failure: Exception | None = None
        self.rejects: IO[str] = _spool()
        self._writer = csv.writer(self.rejects)
        self._records, self._checker, self._lease = records, checker, lease
        self._expected, self._keep_raw = expected, keep_raw
        self._parts = self._make_parts()

    def read(self, size: int = -1) -> bytes:
        """Return the next part, of any size, or nothing at the end."""
        try:
            return next(self._parts, b"")
        except Exception as error:
            self.failure = error  # psycopg2 makes one of its own out of it
            raise

    def _make_parts(self) -> Iterator[bytes]:
        part: list[str] = []
        for line, cells, problem in self._records:
            self._lease.check()  # a single row may take long: its transforms, or the search for it
            self.rows += 1
            try:
                valid = self._checker.fast(cells) if problem is None else None
            except Exception:
                valid = None  # slow() raises it again, with the row rejected
            if valid is None and (valid := self._second_look(line, cells, problem)) is None:
                continue
            part.append(f"{line}{SEPARATOR}{valid}{self._raw(cells)}\n")
            if len(part) == ROWS_A_PART:
                yield self._sent(part)
                part = []
        yield self._sent(part)

    def _raw(self, cells: list[str]) -> str:
        return SEPARATOR + escaped(raw_json(cells)) if self._keep_raw else ""

    def _sent(self, part: list[str]) -> bytes:
        self.valid += len(part)
        self._lease.reached(READ_PERCENT * self.rows // max(self._expected, self.rows, 1))
        return "".join(part).encode()

    def _second_look(self, line: int, cells: list[str], problem: str | Exception | None) -> str | None:
        try:
            if isinstance(problem, Exception):
                raise problem
            if problem is not None:
                raise RowRejected("row", "quoting", problem)
            return self._checker.slow(cells)
        except RowRejected as refusal:
            self._reject(self._lease.id, line, cells, refusal)
        except Exception as error:  # reject the row alone, not the file
            log.exception("Could not check a row: import=%s line=%s", self._lease.id, line)
            reason = f"Could not be checked ({type(error).__name__})."
            self._reject(self._lease.id, line, cells, RowRejected("row", "failed", reason))
        return None

    def _reject(self, import_id: uuid.UUID, line: int, cells: list[str], refusal: RowRejected) -> None:
        self.rejected += 1
        message = refusal.message.replace("\0", "\\0")  # PostgreSQL cannot store NUL
        self._writer.writerow([import_id, line, refusal.field, refusal.code, message, raw_json(cells)])
