"""A request that is being received: what has arrived, and how long the rest may take."""

import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, ParseException
from gunicorn.http.unreader import SocketUnreader

HELD_BYTES = 1_000_000  # larger bodies are read by a thread while they arrive; JSON may be no larger
PATIENCE_SECONDS = 10.0
BYTES_A_SECOND = 20_000  # a client that sends more slowly for longer than the patience is cut off
PIECE_BYTES = 65_536
HEAD_BYTES = 8_192

END_OF_HEAD = b"\r\n\r\n"

ParseHead = Callable[[bytes], int | None]


class Incoming:
    """Receives what a socket has, without waiting. `streamed` is true where a thread must read the body.

    `parse_head` is called once, with all bytes so far, when the head is complete. It returns the length of the body, or
    None where a thread must find it out.
    """

    def __init__(self, buffered: bytes, max_head: int, parse_head: ParseHead):
        """Begin with what was read ahead of the request before, or by `first_piece()`."""
        self.began = time.monotonic()
        self.streamed = self.is_parsed = False
        self._max_head, self._parse_head = max_head, parse_head
        self._received = bytearray(buffered)
        self._searched = self._parsed_bytes = 0
        self._wanted = 0  # bytes of head and body, once the head has been parsed

    @property
    def received(self) -> bytes:
        """The bytes that the parser has not had yet: of the body, and of what follows it."""
        return bytes(self._received[self._parsed_bytes :])

    @property
    def size(self) -> int:
        """The number of all bytes so far."""
        return len(self._received)

    def receive(self, connection: socket.socket) -> bool:
        """Receive what has arrived; return whether a thread can take over, also where the client has gone."""
        while not self._is_complete():
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
        """Return the time.monotonic() at which the whole must have arrived, or the next bytes."""
        whole = self.began + PATIENCE_SECONDS + self._wanted / BYTES_A_SECOND
        return min(time.monotonic() + PATIENCE_SECONDS, whole)

    def _is_complete(self) -> bool:
        if not self.is_parsed:
            end = self._received.find(END_OF_HEAD, max(0, self._searched - 3))
            self._searched = len(self._received)
            if end < 0 and self._searched <= self._max_head:
                return False
            self._parse(end + len(END_OF_HEAD))
        return self.streamed or len(self._received) >= self._wanted

    def _parse(self, head_bytes: int) -> None:
        length = self._parse_head(bytes(self._received))
        self.is_parsed, self._parsed_bytes = True, len(self._received)
        self.streamed = length is None or length > HELD_BYTES
        self._wanted = head_bytes + (length or 0)


def first_piece(connection: socket.socket) -> bytes:
    """Return what a socket has, up to the size of a head; blank where there is nothing, or no client."""
    try:
        return connection.recv(HEAD_BYTES, socket.MSG_DONTWAIT)
    except OSError:
        return b""


class PatientUnreader(SocketUnreader):
    """Reads for a thread, which must not wait for ever: a body that arrives too slowly ends in TimeoutError."""

    def __init__(self, connection: socket.socket):
        super().__init__(connection)
        self.may_wait = True  # the loop, which parses heads, never does
        self.begin()

    def begin(self) -> None:
        """Start the time limit of a new request."""
        self._ends = time.monotonic() + PATIENCE_SECONDS

    def chunk(self, size_hint: int | None = None) -> Any:
        """Return the next bytes. Each extends the time limit, by no more than the patience. Raises TimeoutError."""
        if not self.may_wait:
            raise LimitRequestHeaders("no end of the headers")
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
