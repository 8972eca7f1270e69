"""A session of `requests` whose lookups end in time, and whose answers have a largest size.

The timeouts of `requests` are those of each read: a server that sends a byte now and then is waited for without end.
Here the socket itself is cut when the time is over.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

CHUNK = 65_536

_open = threading.local()  # `.socket`: the one that this thread reads an answer from


class TooBig(requests.RequestException):
    """The answer is larger than allowed."""


class _Noting:
    """Notes the socket before the answer is waited for, so that another thread can cut it."""

    sock: Any

    def getresponse(self) -> Any:
        _open.note(self.sock)
        return super().getresponse()  # type: ignore[misc]


class _Connection(_Noting, HTTPConnection):
    pass


class _SecureConnection(_Noting, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make connections that can be cut."""
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def session(connections: int) -> requests.Session:
    """Return a session that keeps so many connections open."""
    made = requests.Session()
    adapter = _Adapter(pool_connections=1, pool_maxsize=connections)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    made.trust_env = False
    return made


def get(by: requests.Session, url: str, seconds: float, max_bytes: int) -> tuple[int, bytes]:
    """Return the status and the body of an answer. Redirects are answers as any other.

    Raises requests.RequestException, also where it takes longer than `seconds` in all or is larger than `max_bytes`.
    """
    end = time.monotonic() + seconds
    with _cut_at(end) as cut:
        try:
            with by.get(url, timeout=seconds, stream=True, allow_redirects=False) as answer:
                body = _read(answer, max_bytes)
        except (requests.RequestException, OSError, AttributeError) as error:  # what a cut socket makes of it
            if cut.is_set():
                raise requests.Timeout(f"No whole answer within {seconds:g} s") from error
            raise
    if cut.is_set():
        raise requests.Timeout(f"No whole answer within {seconds:g} s")
    return answer.status_code, body


def _read(answer: requests.Response, max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise TooBig(f"The answer is larger than {max_bytes:,} bytes")
    return bytes(body)


@contextlib.contextmanager
def _cut_at(end: float) -> Iterator[threading.Event]:
    """Cut the socket that this thread reads from once the time is over; the event tells that it was."""
    cut = threading.Event()
    sockets: list[socket.socket] = []

    def note(used: socket.socket) -> None:
        sockets[:] = [used]
        if cut.is_set():
            shut()

    def shut() -> None:
        cut.set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    _open.note = note
    timer = threading.Timer(max(end - time.monotonic(), 0), shut)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
