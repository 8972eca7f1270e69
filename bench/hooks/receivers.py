"""Receivers in a process of their own, as little work for each request as Python allows: senders are measured."""

import multiprocessing
import re
import selectors
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
IDENTITY = re.compile(rb"\r\nwebhook-id: *(\S+)", re.IGNORECASE)
DRIP_SECONDS = 0.2

Arrival = tuple[int, str, float]  # receiver, webhook-id, time.monotonic(), which all processes share


class Receivers:
    """`count` receivers on ports of their own; those in `dead` never answer, those in `drip` a byte at a time."""

    def __init__(self, count: int) -> None:
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(count)]
        self.urls = [f"http://127.0.0.1:{listener.getsockname()[1]}/hook" for listener in self._listeners]
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=_Server(self._listeners, theirs).run, daemon=True
        )
        self._process.start()

    def misbehave(self, dead: list[int], drip: list[int]) -> None:
        """From now on these receivers, by number, are dead or drip; the others are healthy."""
        self._ask("misbehave", (dead, drip))

    def count(self) -> int:
        """Return how many whole requests arrived since the last `take()`."""
        return int(self._ask("count"))

    def take(self) -> list[Arrival]:
        """Return all arrivals and forget them."""
        return list(self._ask("take"))

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()

    def _ask(self, what: str, argument: Any = None) -> Any:
        self._pipe.send((what, argument))
        return self._pipe.recv()


class _Server:
    def __init__(self, listeners: list[socket.socket], pipe: Connection) -> None:
        self._listeners, self._pipe = listeners, pipe
        self._dead: set[int] = set()
        self._drip: set[int] = set()
        self._arrivals: list[Arrival] = []
        self._partial: dict[socket.socket, bytes] = {}
        self._dripping: list[socket.socket] = []

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._pipe, selectors.EVENT_READ, -1)
        for number, listener in enumerate(self._listeners):
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ, number)
        accepting = set(self._listeners)
        dripped = time.monotonic()
        while True:
            for key, _ in selector.select(DRIP_SECONDS):
                if key.data == -1:
                    self._answer_parent()
                elif key.fileobj in accepting:
                    self._accept(selector, key)
                else:
                    self._read(selector, key)
            if time.monotonic() - dripped > DRIP_SECONDS:
                dripped = time.monotonic()
                self._drip_on()

    def _accept(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        try:
            connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
        except BlockingIOError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, key.data)

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        connection: Any = key.fileobj
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            selector.unregister(connection)
            connection.close()
            self._partial.pop(connection, None)
            return
        if connection in self._partial:
            data = self._partial.pop(connection) + data
        end = data.find(b"\r\n\r\n")
        length = LENGTH.search(data, 0, end + 2) if end >= 0 else None
        if length is None or len(data) < end + 4 + int(length[1]):
            self._partial[connection] = data
        else:
            self._handle(connection, key.data, data)

    def _handle(self, connection: socket.socket, number: int, data: bytes) -> None:
        identity = IDENTITY.search(data)
        self._arrivals.append((number, identity[1].decode() if identity else "", time.monotonic()))
        if number in self._drip:
            self._dripping.append(connection)
        elif number not in self._dead:
            connection.send(ANSWER)

    def _drip_on(self) -> None:
        for connection in list(self._dripping):
            try:
                connection.send(b"H")
            except OSError:
                self._dripping.remove(connection)

    def _answer_parent(self) -> None:
        what, argument = self._pipe.recv()
        answer: Any = None
        if what == "misbehave":
            self._dead, self._drip = map(set, argument)
        elif what == "count":
            answer = len(self._arrivals)
        else:
            answer, self._arrivals = self._arrivals, []
        self._pipe.send(answer)
