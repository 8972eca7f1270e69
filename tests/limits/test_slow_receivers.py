"""Clients that take a response slowly, or not at all: they hold no thread, and are cut off."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import empty_tables
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes

DOCUMENT = "/api/openapi.json"  # 240 kB
SMALL_BUFFER = {"catalog.web.response_buffer.SEND_BUFFER_BYTES": 4096}  # so that the kernel takes little of it
STATIC = "/static/vendor/htmx.org-2.0.8/htmx.min.js"
PATIENT = SMALL_BUFFER | {
    "catalog.web.response_buffer.PATIENCE_SECONDS": 600.0,  # longer than a busy machine takes for a test
    "catalog.web.response_buffer.MAX_BUFFERED_BYTES": 1_000_000_000,
}
HASTY = SMALL_BUFFER | {"catalog.web.response_buffer.PATIENCE_SECONDS": 1.0}
ESTABLISHED = 1  # the first byte of TCP_INFO


@pytest.fixture(scope="module")
def patient(app, environment) -> Iterator[str]:
    with served({**environment, "WEB_THREADS": "4"}, times=PATIENT) as url:
        yield url
    empty_tables(app)


@pytest.fixture(scope="module")
def hasty(app, environment) -> Iterator[str]:
    with served({**environment, "WEB_THREADS": "4"}, times=HASTY) as url:
        yield url
    empty_tables(app)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


@contextlib.contextmanager
def receivers(address: str, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open so many connections with a small window that have sent these bytes and receive nothing by themselves."""
    target = urlsplit(address)
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.settimeout(60)
            one.connect((target.hostname, target.port))
            one.sendall(sent)
            opened.append(one)
        yield opened


def is_established(one: socket.socket) -> bool:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


def is_answered(address: str) -> bool:
    return requests.get(f"{address}/health/live", timeout=120).ok


@pytest.mark.parametrize("count", [24, 240])
@pytest.mark.parametrize("sent", [get(DOCUMENT), get(DOCUMENT) * 5, get(STATIC)], ids=["one", "pipelined", "static"])
def test_clients_that_never_receive_leave_a_thread_free(patient, count, sent):
    with receivers(patient, count, sent) as opened:
        assert is_answered(patient)
        assert all(map(is_established, opened))  # so no thread became free by cutting one off


def test_clients_that_never_receive_are_cut_off(hasty):
    with receivers(hasty, 8, get(DOCUMENT)) as opened:
        wait_for(lambda: not any(map(is_established, opened)))


def test_a_client_that_receives_slowly_gets_the_whole_response(patient):
    whole = requests.get(f"{patient}{DOCUMENT}", timeout=30).content
    with receivers(patient, 1, get(DOCUMENT, "Connection: close")) as (one,):
        received = b"".join(iter(lambda: one.recv(4096), b""))
    assert received.partition(b"\r\n\r\n")[2] == whole


def test_the_next_request_of_a_connection_is_answered_after_a_slow_response(patient):
    with receivers(patient, 1, get(DOCUMENT) + get("/nowhere", "Connection: close")) as (one,):
        received = b"".join(iter(lambda: one.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == 1
    assert received.count(b"HTTP/1.1 404 NOT FOUND") == 1


def test_a_closed_connection_that_the_client_keeps_holds_up_nobody(patient):
    with receivers(patient, 40, get("/nowhere", "Connection: close")) as opened:
        assert is_answered(patient)
        for one in opened:
            assert one.recv(4096).startswith(b"HTTP/1.1 404")


LENGTHS = {"padded": b"0" * 20 + b"1000", "plus": b"+1000", "a tab": b"\t1000", "twice": b"1000, 1000", "_": b"1_000"}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_in_an_odd_form_leaves_a_thread_free(patient, name):
    head = b"POST /api/v1/products HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with receivers(patient, 24, head + b"Content-Length: " + LENGTHS[name] + b"\r\n\r\n{"):
        assert is_answered(patient)


def test_a_form_in_chunks_is_refused_before_a_thread_reads_it(patient):
    head = b"POST /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with receivers(patient, 1, head + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n") as (one,):
        assert one.recv(4096).startswith(b"HTTP/1.1 413 ")
