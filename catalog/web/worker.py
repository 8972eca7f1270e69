"""gunicorn's threaded worker, with threads only for requests that are there.

gthread gives a thread to a connection before its request has come, so a few clients that send slowly, or nothing, hold
all of them. Here the main loop takes a request in, as a proxy before the service would, and a thread gets it whole.
Bodies too large for that are read by threads as they come: by less than half of them, and only while bytes keep coming.
"""

import json
import socket
import struct
import time
from collections import deque
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

from catalog import draining, headers
from catalog.errors import HTTP_CODES
from catalog.web import answers
from catalog.web.even import EvenWorker
from catalog.web.incoming import Chunks, Incoming, PatientUnreader, first_piece, is_whole

LOOK_SECONDS = 0.25
PARKED_SECONDS = 120.0  # how long a large body waits for the threads that read such
HELD_BYTES = 32_000_000  # of requests that are not whole, altogether
SEND_SECONDS = 60  # a client that takes nothing for so long is given up
FIRST_BYTE_SECONDS = 2.0  # a new connection on which nothing comes


class Worker(EvenWorker):
    """Connections are in one of gunicorn's places, or in `_parked`: a large body that waits for its turn."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._parked: deque[Any] = deque()
        self._streaming = self._held = 0
        self._may_stream = max(1, (self.cfg.threads - 1) // 2)  # half are for long answers, see catalog/streams.py
        self._next_look = 0.0
        self._most_head = self.cfg.limit_request_line + self.cfg.limit_request_fields * (
            self.cfg.limit_request_field_size + 2
        )

    def enqueue_req(self, conn: Any) -> None:
        """Give a request to a thread once all of it has come, and wait for the rest of it until then."""
        if not conn.initialized:
            self._begin(conn)
        if conn.incoming is None:
            piece = conn.parser.unreader.take_buffered() or first_piece(conn.sock)
            if is_whole(piece):
                self._hand_over(conn, piece)
                return
            conn.incoming = Incoming(piece, self._most_head)
            self._held += conn.incoming.size
        self._take_in(conn, conn.incoming)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Run the application, in a thread; from the beginning of the end on, no connection is kept."""
        if draining.has_begun():
            self.max_keepalived = 0
        if conn.streams:
            req.body.reader = Chunks(req.body.reader)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Let the next large body in where one has ended."""
        if conn.streams:
            self._streaming -= 1
            if self._parked:
                waiting = self._parked.popleft()
                self._let_in(waiting, waiting.incoming)
        super().finish_request(conn, fs)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Before the end take what is still waiting to be accepted: it would be reset."""
        if not self.alive and self._accepting:
            known = -1
            while known != self.nr_conns:
                known = self.nr_conns
                for listener in self.sockets:
                    self.accept(listener)
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def murder_pending(self) -> None:
        """Cut off whose time has run out; all of them are looked at, since theirs differ."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        for conn in [conn for conn in self.pending_conns if conn.timeout <= now]:
            self.poller.unregister(conn.sock)
            self.pending_conns.remove(conn)
            self._cut_off(conn, HTTPStatus.REQUEST_TIMEOUT)
        for conn in [conn for conn in self._parked if conn.timeout <= now or not self.alive]:
            self._parked.remove(conn)
            self._cut_off(conn, HTTPStatus.SERVICE_UNAVAILABLE)

    def _begin(self, conn: Any) -> None:
        conn.init()
        conn.incoming = None
        conn.parser.unreader = PatientUnreader(conn.sock)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))

    def _take_in(self, conn: Any, incoming: Incoming) -> None:
        held = incoming.size
        is_ready = incoming.take(conn.sock)
        self._held += incoming.size - held
        if not is_ready:
            self._wait(conn, incoming)
        elif incoming.streamed and self._streaming >= self._may_stream:
            conn.timeout = time.monotonic() + PARKED_SECONDS
            self._parked.append(conn)
        else:
            self._let_in(conn, incoming)

    def _wait(self, conn: Any, incoming: Incoming) -> None:
        if self._held > HELD_BYTES:
            self._cut_off(conn, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        conn.timeout = incoming.deadline() if incoming.size else time.monotonic() + FIRST_BYTE_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _let_in(self, conn: Any, incoming: Incoming) -> None:
        self._held -= incoming.size
        self._streaming += incoming.streamed
        conn.incoming = None
        self._hand_over(conn, incoming.received, incoming.streamed)

    def _hand_over(self, conn: Any, received: bytes, streamed: bool = False) -> None:
        conn.streams = streamed
        conn.parser.unreader.unread(received)
        conn.parser.unreader.begin()
        super().enqueue_req(conn)

    def _cut_off(self, conn: Any, status: HTTPStatus) -> None:
        if conn.incoming.size:
            write_problem(conn.sock, status, status.phrase, "")
        self._held -= conn.incoming.size
        self.nr_conns -= 1
        conn.close()


def write_problem(connection: socket.socket, status: int, reason: str, message: str) -> None:
    """Send what is answered before, or without, the application, in the words of all other answers."""
    details = {
        408: "The request came too slowly.",
        503: "Too much is on its way in. Please try again.",
        414: f"The address is too long: {message}.",
        431: f"The headers are too large: {message}.",
    }
    body = {
        "type": "about:blank",
        "title": reason,
        "status": int(status),
        "detail": details.get(status, f"{reason}."),
        "code": HTTP_CODES.get(status, "internal_error" if status >= 500 else "bad_request"),
    }
    raw = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {int(status)} {reason}", "Connection: close", "Content-Type: application/problem+json"]
    lines += [f"Content-Length: {len(raw)}", *(["Retry-After: 5"] if status == 503 else [])]
    lines += [f"{name}: {value}" for name, value in headers.PLAIN]
    util.write_nonblock(connection, "\r\n".join(lines).encode() + b"\r\n\r\n" + raw)


util.write_error = write_problem
wsgi.Response = answers.Answer
