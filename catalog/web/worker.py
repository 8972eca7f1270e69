"""gunicorn's threaded worker, whose threads wait neither for a request to arrive nor for a response to leave.

gthread gives a thread to a connection before its request has arrived and until its client has taken the response, so
a few slow clients hold all of them. Here the loop receives a request, parses its head, and gives a thread the whole
of it; and it sends what a client does not take at once (`response_buffer.py`). Bodies too large for that are read by
threads while they arrive: by less than half of them, and only while bytes keep arriving.
"""

import logging
import resource
import socket
import time
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

from catalog import draining
from catalog.web import answers
from catalog.web.even import EvenWorker
from catalog.web.incoming import HELD_BYTES as MAX_HELD_BODY
from catalog.web.incoming import Chunks, Incoming, first_piece
from catalog.web.problems import write_problem
from catalog.web.request_head import HeadParser, body_length
from catalog.web.response_buffer import Budget, BufferedSocket

LOOK_SECONDS = 0.25
PARKED_SECONDS = 120.0  # how long a large body waits for the threads that read such
HELD_BYTES = 32_000_000  # of requests that are not whole, altogether
FIRST_BYTE_SECONDS = 2.0  # a new connection on which nothing arrives
LINGER_SECONDS = 2.0  # for the client to close first, so that its last bytes are not lost (RFC 9112, 9.6)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SPARE_FILES = 256  # that a process opens for other things than connections

log = logging.getLogger("gunicorn.error")


class Worker(EvenWorker):
    """A connection is in one of gunicorn's collections or in one of these.

    `_parked`: a large body that waits for its turn. `_sending`: a response that leaves. `_lingering`: half closed.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._parked: deque[Any] = deque()
        self._streaming = Counter[str]()  # large bodies that threads read, by client address
        self._sending: dict[Any, Any] = {}
        self._lingering: dict[Any, float] = {}
        self._budget = Budget()
        self._held = 0
        self._may_stream = max(1, (self.cfg.threads - 1) // 2)  # half are for streams, see catalog/streams.py
        self._next_look = 0.0
        self._max_head = self.cfg.limit_request_line + self.cfg.limit_request_fields * (
            self.cfg.limit_request_field_size + 2
        )
        self.worker_connections: int = min(self.cfg.worker_connections, _open_file_limit() - SPARE_FILES)
        self.max_keepalived = self.worker_connections - self.cfg.threads

    def accept(self, listener: object) -> None:
        """Take a connection; where there are too many, close the one that has waited longest without a request."""
        if self.nr_conns >= self.worker_connections - 1:
            self._close_idle()
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Give a request to a thread once all of it has arrived, and wait for the rest of it until then."""
        if not conn.initialized:
            self._begin(conn)
        if conn.incoming is None:
            piece = conn.parser.unreader.take_buffered() or first_piece(conn.sock)
            conn.incoming = Incoming(piece, self._max_head, partial(self._parse_head, conn))
            self._held += conn.incoming.size
        self._receive(conn, conn.incoming)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Run the application, in a thread; once a shutdown has begun, no connection is kept."""
        if draining.has_begun():
            self.max_keepalived = 0
        if conn.streams:
            req.body.reader = Chunks(req.body.reader)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Let the next large body in where one has ended, and send what the client has not taken yet."""
        if conn.streams:
            self._end_stream(conn)
        if conn.sock.pending_bytes:
            self._sending[conn] = fs
            self.poller.register(conn.sock, EVENT_WRITE, partial(self._send, conn))
        else:
            self._end_response(conn, fs)

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
        """Cut off connections whose time is over; all of them are checked, since their times differ."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        for conn in [conn for conn in self.pending_conns if conn.timeout <= now]:
            self._stop_waiting(conn)
            self._cut_off(conn, HTTPStatus.REQUEST_TIMEOUT)
        for conn in [conn for conn in self._parked if conn.timeout <= now or not self.alive]:
            self._parked.remove(conn)
            self._cut_off(conn, HTTPStatus.SERVICE_UNAVAILABLE)
        for conn in [conn for conn in self._sending if conn.sock.is_too_slow(now)]:
            self._give_up(conn)
        for conn in [conn for conn, ends in self._lingering.items() if ends <= now]:
            self._end_linger(conn)
        self._log_dropped()

    def _log_dropped(self) -> None:
        while self._budget.dropped:
            (address, reason), count = self._budget.dropped.popitem()
            log.warning("Dropped slow clients: address=%s count=%s reason=%s", address, count, reason)

    def _begin(self, conn: Any) -> None:
        conn.sock = BufferedSocket(conn.sock, _address(conn.client), self._budget)
        conn.initialized = True
        conn.sock.setblocking(True)
        conn.parser = HeadParser(self.cfg, conn.sock, conn.client)
        conn.incoming, conn.streams = None, False

    def _parse_head(self, conn: Any, received: bytes) -> int | None:
        request = conn.parser.parse_head(received)
        if request is None:
            return 0
        length = body_length(request)
        if request._expected_100_continue and length is not None and length <= MAX_HELD_BODY:
            request._expected_100_continue = False  # this loop receives the body, so it asks for it
            with suppress(OSError):
                conn.sock.sendall(CONTINUE)
        return length

    def _receive(self, conn: Any, incoming: Incoming) -> None:
        held = incoming.size
        is_ready = incoming.receive(conn.sock)
        self._held += incoming.size - held
        if not is_ready:
            self._wait(conn, incoming)
        elif not incoming.is_parsed:  # the client has gone before the end of the head
            self._drop(conn)
        elif incoming.streamed and conn.parser.is_form:
            self._cut_off(conn, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif incoming.streamed and not self._may_let_in(conn):
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

    def _stop_waiting(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _may_let_in(self, conn: Any) -> bool:
        """Return whether a thread is left for this large body: those of one address leave one for others."""
        free = self._may_stream - self._streaming.total()
        return free > 1 or (free == 1 and not self._streaming[conn.sock.address])

    def _let_in(self, conn: Any, incoming: Incoming) -> None:
        self._held -= incoming.size
        conn.incoming, conn.streams = None, incoming.streamed
        if incoming.streamed:
            self._streaming[conn.sock.address] += 1
        unreader = conn.parser.unreader
        unreader.unread(unreader.take_buffered() + incoming.received)
        unreader.begin()
        super().enqueue_req(conn)

    def _end_stream(self, conn: Any) -> None:
        conn.streams = False
        self._streaming[conn.sock.address] -= 1
        self._streaming += Counter()  # forgets addresses that have none
        waiting = min(self._parked, key=lambda each: self._streaming[each.sock.address], default=None)
        if waiting is not None and self._may_let_in(waiting):
            self._parked.remove(waiting)
            self._let_in(waiting, waiting.incoming)

    def _send(self, conn: Any, connection: BufferedSocket) -> None:
        try:
            if not connection.send_pending():
                return
        except OSError:
            self._give_up(conn)
            return
        self.poller.unregister(connection)
        self._end_response(conn, self._sending.pop(conn))

    def _give_up(self, conn: Any) -> None:
        del self._sending[conn]
        self.poller.unregister(conn.sock)
        conn.sock.give_up()
        self._drop(conn)

    def _end_response(self, conn: Any, fs: Any) -> None:
        is_kept = not fs.cancelled() and fs.exception() is None and fs.result()
        if is_kept:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._linger, conn))
        except (OSError, ValueError):
            self._drop(conn)
        else:
            self._lingering[conn] = time.monotonic() + LINGER_SECONDS

    def _linger(self, conn: Any, connection: socket.socket) -> None:
        try:
            if connection.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end_linger(conn)

    def _end_linger(self, conn: Any) -> None:
        del self._lingering[conn]
        self.poller.unregister(conn.sock)
        self._drop(conn)

    def _close_idle(self) -> None:
        if self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)
        elif self.pending_conns:
            conn = self.pending_conns[0]
            self._stop_waiting(conn)
            self._cut_off(conn, HTTPStatus.SERVICE_UNAVAILABLE)

    def _cut_off(self, conn: Any, status: HTTPStatus) -> None:
        if conn.incoming.size:
            write_problem(conn.sock, status, status.phrase, "")
        self._drop(conn)

    def _drop(self, conn: Any) -> None:
        if conn.incoming is not None:
            self._held -= conn.incoming.size
        self.nr_conns -= 1
        conn.close()


def _address(client: Any) -> str:
    return str(client[0]) if isinstance(client, tuple) and client else ""


def _open_file_limit() -> int:
    """Raise this process's limit of open files as far as the system lets it; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, SPARE_FILES * 2)


util.write_error = write_problem
wsgi.Response = answers.Answer
