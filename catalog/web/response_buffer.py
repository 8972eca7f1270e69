"""Response buffering: what a client does not receive at once is sent by the worker's loop, not by a thread.

A thread writes its response into the kernel's buffer and, beyond that, into a buffer of the connection; then it is
free. A client must take 20 kB/s on average, with 10 s of patience, or it is cut off. Only a stream, whose length
is not known, waits in its thread while its client keeps that rate; the slots of `catalog/streams.py` bound how many
there are.
"""

import errno
import fcntl
import select
import socket
import struct
import sys
import termios
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import Any

PATIENCE_SECONDS = 10.0
BYTES_PER_SECOND = 20_000
SEND_BUFFER_BYTES = (
    131_072  # in the kernel, which doubles it; its own choice is 2.3 MB for a client that receives nothing
)
STREAM_BUFFER_BYTES = 262_144  # a stream that has so much waiting pauses
MAX_BUFFERED_BYTES = 32_000_000  # of all connections of a process together
PAUSE_SECONDS = 0.5  # how often a paused stream checks the rate


class SlowReceiver(ConnectionResetError):
    """The client receives too slowly, or too many bytes wait for its address; gunicorn treats it as a disconnection."""

    def __init__(self, reason: str):
        super().__init__(errno.ECONNRESET, reason)


class Budget:
    """The bytes that wait for slow receivers in one process. Thread-safe."""

    def __init__(self, limit: int | None = None):
        self.limit = MAX_BUFFERED_BYTES if limit is None else limit
        self.dropped = Counter[tuple[str, str]]()  # connections by address and reason, until the worker logs them
        self._waiting: dict[BufferedSocket, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def update(self, connection: "BufferedSocket", waiting: int) -> None:
        """Set the bytes that wait. Above the limit, aborts connections of the address that has most of them."""
        with self._lock:
            if not connection.aborted:
                self._set(connection, waiting)
            victims = self._choose_victims() if self._total > self.limit else []
        for victim in victims:
            victim.shut_down()

    def _set(self, connection: "BufferedSocket", waiting: int) -> None:
        self._total += waiting - self._waiting.pop(connection, 0)
        if waiting:
            self._waiting[connection] = waiting

    def _choose_victims(self) -> "list[BufferedSocket]":
        """Abort as many connections as it takes, those whose time ends first; return them."""
        by_address = Counter[str]()
        for each, waiting in self._waiting.items():
            by_address[each.address] += waiting
        [(address, _)] = by_address.most_common(1)
        chosen = []
        for each in sorted((s for s in self._waiting if s.address == address), key=lambda s: s.deadline):
            if self._total <= self.limit:
                break
            each.aborted = "too many bytes wait for this client's address"
            chosen.append(each)
            self._set(each, 0)
        return chosen


class BufferedSocket(socket.socket):
    """A client's connection whose `sendall` returns at once. Used by one thread at a time: a request's, or the loop."""

    def __init__(self, connection: socket.socket, address: str, budget: Budget):
        super().__init__(connection.family, connection.type, connection.proto, fileno=connection.detach())
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.address = address
        self.deadline = 0.0  # time.monotonic(), while bytes wait
        self.pending_bytes = 0
        self.aborted = ""  # the reason, once the budget has chosen it; what waits is dropped by the owner
        self._budget = budget
        self._pending: deque[memoryview] = deque()
        self._given = self._taken = 0  # bytes that the kernel has had since they began to wait, and the client

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, or keep for the loop, all of `data`. Raises SlowReceiver, OSError."""
        if self.pending_bytes:
            self.send_pending()
        rest = memoryview(data).cast("B")
        if not self.pending_bytes:
            rest = rest[self._send(rest) :]
        if not rest:
            return
        self._wait_for_room()
        self._keep(rest)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file as `sendall` would: those that are served are small, and may not hold a thread either."""
        file.seek(offset)
        content = file.read(-1 if count is None else count)
        self.sendall(content)
        return len(content)

    def send_pending(self) -> bool:
        """Send what the kernel takes now; return whether nothing is left. Raises SlowReceiver, OSError."""
        if self.aborted:
            raise SlowReceiver(self.aborted)
        sent = 0
        try:
            while self._pending:
                piece = self._pending[0]
                taken = self._send(piece)
                sent += taken
                if taken < len(piece):
                    self._pending[0] = piece[taken:]
                    break
                self._pending.popleft()
        finally:
            self._given += sent
            self._count(-sent)
        return not self._pending

    def is_too_slow(self, now: float) -> bool:
        """Return whether the client's time is over. Each byte that it has taken extends it; none is saved up."""
        taken = self._given - _unacknowledged(self)
        if taken > self._taken:
            self.deadline += (taken - self._taken) / BYTES_PER_SECOND
            self.deadline = min(self.deadline, now + PATIENCE_SECONDS)
            self._taken = taken
        return bool(self.aborted) or now > self.deadline

    def shut_down(self) -> None:
        """End an aborted connection, from any thread; its owner is woken and finds out at its next call."""
        self._budget.dropped[self.address, self.aborted] += 1
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def give_up(self) -> None:
        """End a connection whose client's time is over; for its owner."""
        self.aborted = self.aborted or "it receives less than 20 kB/s"
        self.shut_down()
        self._drop()

    def close(self) -> None:
        """Drop what waits and close. An aborted connection is reset, so that the kernel drops its bytes too."""
        self._drop()
        if self.aborted:
            with suppress(OSError):
                self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        super().close()

    def _send(self, data: memoryview) -> int:
        try:
            return self.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def _keep(self, rest: memoryview) -> None:
        if not self.pending_bytes:
            self.deadline = time.monotonic() + PATIENCE_SECONDS
            self._given = _unacknowledged(self)
            self._taken = 0
        self._pending.append(rest)
        self._count(len(rest))

    def _wait_for_room(self) -> None:
        """Wait while a stream is ahead of its client."""
        poll: Any = None
        while self.pending_bytes >= STREAM_BUFFER_BYTES and not self.send_pending():
            if self.is_too_slow(time.monotonic()):
                self.give_up()
                raise SlowReceiver(self.aborted)
            poll = poll or _poll_for_writing(self)
            poll.poll(PAUSE_SECONDS * 1000)

    def _count(self, change: int) -> None:
        if change:
            self.pending_bytes += change
            self._budget.update(self, self.pending_bytes)

    def _drop(self) -> None:
        self._pending.clear()
        self._count(-self.pending_bytes)


def _poll_for_writing(connection: socket.socket) -> "select.poll":
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return poll


def _unacknowledged(connection: socket.socket) -> int:
    """Return the bytes that the kernel holds for a connection; 0 where the system does not say."""
    request = termios.TIOCOUTQ if sys.platform == "linux" else None
    if request is None:
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), request, b"\0" * 4))[0])
    except (OSError, ValueError):
        return 0
