"""Clients that send slowly, or nothing: others do not wait for them, and they are cut off."""

import contextlib
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from catalog.web import incoming
from catalog.web.worker import FIRST_BYTE_SECONDS
from tests.conftest import empty_tables
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes

PRODUCTS = "/api/v1/products"
MANY = 20
THREADS = 4
PATIENCE = 1.5  # of the hasty server; tests/hostile waits for the real one
HASTY = {"catalog.web.incoming.PATIENCE_SECONDS": PATIENCE}

HEAD = b"POST /api/v1/products HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
UPLOAD = (
    b"POST /api/v1/products/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 5000000\r\n\r\n--b\r\n"
)

SLOW = {
    "nothing at all": b"",
    "half a request line": b"GET /api/v1/pro",
    "half a head": b"GET /api/v1/products HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "a head without its body": HEAD + b"Content-Length: 100\r\n\r\n",
    "half a body": HEAD + b'Content-Length: 900000\r\n\r\n{"name": "',
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n40\r\n{",
    "an upload that stops": UPLOAD,
    "a body that waits to be asked for, and does not come": HEAD
    + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
}


@pytest.fixture(scope="module")
def address(app, environment):
    with served({**environment, "WEB_THREADS": str(THREADS)}) as url:
        yield url
    empty_tables(app)


@pytest.fixture(scope="module")
def hasty(app, environment):
    """A server that cuts off sooner."""
    with served({**environment, "WEB_THREADS": str(THREADS)}, times=HASTY) as url:
        yield url
    empty_tables(app)


@contextlib.contextmanager
def connections(address, count, sent):
    """Open so many connections that have each sent these bytes, and nothing since."""
    target = urlsplit(address)
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection((target.hostname, target.port), timeout=30))
            one.sendall(sent)
            found.append(one)
        yield found


def received(connection) -> bytes:
    """Return all that comes until the server closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW.keys())
def test_twenty_slow_clients_keep_nobody_waiting(address, sent):
    with connections(address, MANY, sent):
        times = []
        for _ in range(5):
            began = time.monotonic()
            assert requests.get(f"{address}{PRODUCTS}", timeout=20).ok
            times.append(time.monotonic() - began)
    assert min(times) < incoming.PATIENCE_SECONDS / 10
    assert max(times) < incoming.PATIENCE_SECONDS / 2  # whoever waits for one of them waits until it is cut off


def test_twenty_clients_that_drip_keep_nobody_waiting_and_are_cut_off(hasty):
    began = time.monotonic()
    with connections(hasty, MANY, HEAD + b"Content-Length: 6000\r\n\r\n") as slow:
        open_ones = set(slow)

        def drip():
            assert requests.get(f"{hasty}/health/live", timeout=20).ok
            for one in list(open_ones):
                try:
                    one.sendall(b" ")
                    one.setblocking(False)
                    if one.recv(1, socket.MSG_PEEK) is not None:
                        open_ones.discard(one)
                except BlockingIOError:
                    pass
                except OSError:
                    open_ones.discard(one)
            return not open_ones

        wait_for(drip, 30)
        seconds = time.monotonic() - began
        for one in slow:
            one.setblocking(True)
        answers = [received(one) for one in slow]
    assert seconds > PATIENCE / 2
    assert all(answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n") for answer in answers)
    assert json.loads(answers[0].split(b"\r\n\r\n")[1])["code"] == "request_timeout"


def test_who_sends_nothing_is_cut_off_without_an_answer_and_sooner(address):
    began = time.monotonic()
    with connections(address, 1, b"") as (one,):
        assert received(one) == b""
    assert FIRST_BYTE_SECONDS / 2 < time.monotonic() - began < incoming.PATIENCE_SECONDS


@pytest.mark.parametrize("name", ["half a head", "half a body", "half a chunk"])
def test_who_sends_no_more_is_cut_off(hasty, name):
    began = time.monotonic()
    with connections(hasty, 1, SLOW[name]) as (one,):
        answer = received(one)  # or a timeout of the socket, after half a minute
    assert time.monotonic() - began > PATIENCE / 2
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_upload_that_stops_gets_408_and_the_next_one_its_turn(hasty):
    with connections(hasty, 3, UPLOAD) as stopped:
        file = {"file": ("p.csv", b"sku,name\nA,One\n" + b"#" * 1_500_000)}
        answer = requests.post(f"{hasty}{PRODUCTS}/upload", files=file, timeout=60)
        answers = [received(one) for one in stopped]
    assert answer.status_code in (202, 400)
    assert all(each.startswith(b"HTTP/1.1 408 ") for each in answers)


def test_a_large_body_that_keeps_coming_is_taken(address):
    total = 300_000
    body = b'{"name": "' + b"x" * (total - 12) + b'"}'
    with connections(address, 1, HEAD + f"Connection: close\r\nContent-Length: {total}\r\n\r\n".encode()) as (one,):
        for start in range(0, total, 30_000):
            one.sendall(body[start : start + 30_000])
            time.sleep(0.1)
        assert received(one).startswith(b"HTTP/1.1 400 ")  # the name is too long; all of it was read


def test_a_client_that_asks_to_go_on_is_told_to(address):
    body = b'{"name": "asked"}'
    head = HEAD + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connections(address, 1, head) as (one,):
        assert one.recv(100).startswith(b"HTTP/1.1 100 ")
        one.sendall(body)
        assert received(one).startswith(b"HTTP/1.1 201 ")


def test_requests_that_come_together_are_all_answered_in_order(address):
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: %d\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connections(address, 1, b"".join(request % n for n in range(5)) + last) as (one,):
        answer = received(one)
    assert [int(part.split(b"\r\n")[0]) for part in answer.split(b"X-Request-ID: ")[1:6]] == list(range(5))
    assert b"HTTP/1.1 404" in answer


def test_a_request_that_comes_byte_by_byte_is_answered(address):
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connections(address, 1, b"") as (one,):
        for byte in request:
            one.sendall(bytes([byte]))
            time.sleep(0.005)
        assert received(one).startswith(b"HTTP/1.1 200 ")


def test_a_connection_is_kept_for_the_next_request(address):
    target = urlsplit(address)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=5)
    with contextlib.closing(connection):
        connection.connect()
        first = connection.sock
        for _ in range(3):
            connection.request("GET", "/health/live")
            assert connection.getresponse().read()
            assert connection.sock is first


HEADERS = {
    "a long line": (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri_too_long"),
    "a long header": (b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000 + b"\r\n\r\n", 431, "headers_too_large"),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 200_000, 431, "headers_too_large"),
    "no HTTP": (b"220 mail.example ESMTP\r\n\r\n", 400, "bad_request"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "bad_request"),
    "a length and chunks": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400, "bad_request"),
    "a line break in a name": (b"GET / HTTP/1.1\r\nA\nB: 1\r\n\r\n", 400, "bad_request"),
    "a bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400, "bad_request"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_head_that_is_too_much_or_none_is_a_problem(address, name):
    sent, status, code = HEADERS[name]
    with connections(address, 1, b"") as (one,):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            one.sendall(sent)
        answer = received(one)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body)["code"] == code
