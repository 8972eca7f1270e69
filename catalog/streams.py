"""Streamed responses: how many a process sends at once, and what COPY writes as a stream of bytes.

A stream holds its thread, and often a connection to PostgreSQL, until the client has all of it. At most half of a
process's threads may be held, so that other requests always find one; of these one key or address has a share.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection

from catalog.errors import RETRY_AFTER_SECONDS, TooManyRequests, Unavailable
from catalog.ratelimits import callers

PIECE_BYTES = 1 << 16

Release = Callable[[], None]


class Slots:
    """The long responses that one process may send at once, of which one holder, a key or an address, has a share."""

    def __init__(self, number: int, share: int | None = None):
        self.number = number
        self.share = share or max(1, number // 2)
        self._held = Counter[str | None]()
        self._lock = threading.Lock()

    def take(self, holder: str | None = None) -> Release | None:
        """Take a slot and return what gives it back, which may be called more than once.

        Returns None if all are taken, or the holder has its share; without a holder there is none.
        """
        with self._lock:
            if self._held.total() >= self.number or not self.has_room(holder):
                return None
            self._held[holder] += 1
        return self._releasing(holder)

    def has_room(self, holder: str | None) -> bool:
        """Return whether a holder has less than its share."""
        return holder is None or self._held[holder] < self.share

    def _releasing(self, holder: str | None) -> Release:
        given_back = threading.Lock()

        def release() -> None:
            if given_back.acquire(blocking=False):
                with self._lock:
                    self._held[holder] -= 1
                    self._held += Counter()  # without those that hold none

        return release


def register(app: Flask) -> None:
    """Give the application its slots."""
    app.extensions["catalog-streams"] = Slots(app.config["WEB_THREADS"] // 2, app.config["STREAMS_PER_KEY"])


def slots() -> Slots:
    """Return the slots of the current application's process."""
    return current_app.extensions["catalog-streams"]  # type: ignore[no-any-return]


def try_to_take_slot() -> Release | None:
    """Take a slot for the current caller; None where all are taken, or the caller has its share."""
    return slots().take(callers.who())


def take_slot() -> Release:
    """Take a slot for the current caller and return what gives it back.

    Raises TooManyRequests where the caller has its share, Unavailable where all are taken.
    """
    free = slots()
    if not free.number:  # a process with one thread has no slots
        return lambda: None
    release = try_to_take_slot()
    if release is not None:
        return release
    if free.has_room(callers.who()):
        raise Unavailable("Too many downloads are running. Please try again.")
    raise TooManyRequests(
        f"{free.share} downloads or event streams of this key are running, and no more are allowed at once"
        " (STREAMS_PER_KEY). Try again when one has ended.",
        Retry_After=str(RETRY_AFTER_SECONDS),
    )


class Stream:
    """The pieces of a response, with the slot that they hold until the server calls `close()`."""

    def __init__(self, pieces: Iterator[str], release: Release):
        self._pieces, self._release = pieces, release

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def close(self) -> None:
        """End the iterator, also in the middle, and give the slot back."""
        try:
            close = getattr(self._pieces, "close", None)
            if close:
                close()
        finally:
            self._release()


class CopyOut:
    """The bytes that `COPY … TO STDOUT` writes, piece by piece, as fast as they are taken and no faster.

    A thread copies into a pipe, which holds a few pieces; so neither side ever holds more. The connection is
    this object's, and is given back or closed by `close()`, which a server calls in any case, also when the
    client has gone. A COPY that fails is raised by the next read, so that no cut answer looks like a whole one.
    """

    def __init__(self, connection: Connection, sql: str | bytes, release: Release):
        self._connection, self._release = connection, release
        self._raw: Any = connection.connection.driver_connection
        self._failure: Exception | None = None
        self._ended = self._closed = False
        self._pipe, sink = os.pipe()
        self._thread = threading.Thread(target=self._copy, args=(sql, sink), name="copy-out", daemon=True)
        self._thread.start()

    def __iter__(self) -> "CopyOut":
        return self

    def __next__(self) -> bytes:
        if piece := b"" if self._ended else os.read(self._pipe, PIECE_BYTES):
            return piece
        self._ended = True
        self.close()
        if self._failure:
            raise self._failure
        raise StopIteration

    def close(self) -> None:
        """Stop what is still being copied, and let go of the connection."""
        if self._closed:
            return
        self._closed = True
        os.close(self._pipe)
        if not self._ended:
            self._raw.cancel()
        self._thread.join()
        if self._failure or not self._ended:
            self._connection.invalidate()
        self._connection.close()
        self._release()

    def _copy(self, sql: str | bytes, sink: int) -> None:
        try:
            with os.fdopen(sink, "wb", PIECE_BYTES) as file, self._raw.cursor() as cursor:
                cursor.copy_expert(sql, file)
        except Exception as error:
            self._failure = error
