"""A request on its way in: what has come of it, and how long the rest may take."""

import re
import socket
import time
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

HELD_BYTES = 1_000_000  # larger bodies are read by a thread while they come; JSON may be no larger
PATIENCE_SECONDS = 10.0
BYTES_A_SECOND = 20_000  # what comes slower for longer than that is cut off
PIECE_BYTES = 65_536
HEAD_BYTES = 8_192

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,19})[ \t]*\r\n")


class Incoming:
    """Takes in what a socket has, without waiting. `streamed` is true where a thread must read the body."""

    def __init__(self, buffered: bytes, most_head: int):
        """Begin with what was read ahead of the request before, or by `first_piece()`."""
        self.began = time.monotonic()
        self.streamed = False
        self._most_head = most_head
        self._received = bytearray(buffered)
        self._searched = 0
        self._wanted: int | None = None  # bytes of head and body, known once the head is there

    @property
    def received(self) -> bytes:
        """All bytes so far."""
        return bytes(self._received)

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self._received)

    def take(self, connection: socket.socket) -> bool:
        """Take in what is there; tell whether a thread can go on with it, or with the client's end."""
        while not self._is_ready():
            try:
                piece = connection.recv(PIECE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not piece:
                return True
            self._received += piece
        return True

    def deadline(self) -> float:
        """Return the time.monotonic() at which the whole must have come, or the next bytes."""
        whole = self.began + PATIENCE_SECONDS + (self._wanted or 0) / BYTES_A_SECOND
        return min(time.monotonic() + PATIENCE_SECONDS, whole)

    def _is_ready(self) -> bool:
        if self._wanted is None:
            end = self._received.find(b"\r\n\r\n", max(0, self._searched - 3))
            self._searched = len(self._received)
            if end < 0:
                return self._searched > self._most_head  # for the parser to refuse
            self._read_head(end)
        return self.streamed or len(self._received) >= (self._wanted or 0)

    def _read_head(self, end: int) -> None:
        """Find out how long the body is; the parser judges the head itself, with all that may be wrong with it."""
        head = bytes(self._received[: end + 2]).lower()
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        self.streamed = length > HELD_BYTES or b"\r\ntransfer-encoding:" in head or b"\r\nexpect:" in head
        self._wanted = end + 4 + length


def first_piece(connection: socket.socket) -> bytes:
    """Return what a socket has, as far as it is no longer than a head; blank where there is nothing, or no client."""
    try:
        return connection.recv(HEAD_BYTES, socket.MSG_DONTWAIT)
    except OSError:
        return b""


def is_whole(piece: bytes) -> bool:
    """Tell at a glance whether this is a head and no body, as most requests are; if in doubt it is not."""
    if not piece.endswith(b"\r\n\r\n"):
        return False
    head = piece.lower()
    return not (b"content-length" in head or b"transfer-encoding" in head or b"expect" in head)


class PatientUnreader(SocketUnreader):
    """Reads for a thread, which must not be held for ever: a body that comes too slowly ends in TimeoutError."""

    def __init__(self, connection: socket.socket):
        super().__init__(connection)
        self.begin()

    def begin(self) -> None:
        """Start the time of a new request."""
        self._ends = time.monotonic() + PATIENCE_SECONDS

    def chunk(self, size_hint: int | None = None) -> Any:
        """Return the next bytes; each of them buys time, and none is saved up beyond the patience."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("The client sends too slowly")
        self.sock.settimeout(left)
        try:
            piece = super().chunk(size_hint)
        except TimeoutError:
            self._ends = 0.0
            raise
        finally:
            self.sock.setblocking(True)
        self._ends = min(self._ends + len(piece) / BYTES_A_SECOND, time.monotonic() + PATIENCE_SECONDS)
        return piece


class Chunks:
    """Reads a body in chunks; broken ones end it as a lost connection would, which applications know how to answer."""

    def __init__(self, reader: Any):
        self._reader = reader

    def read(self, size: int) -> Any:
        """Return so many bytes, or what is left. Raises ValueError."""
        try:
            return self._reader.read(size)
        except ParseException as error:
            raise ValueError(str(error)) from error
