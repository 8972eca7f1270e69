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

THREADS = 4
DOCUMENT = "/api/openapi.json"  # larger than any kernel's buffer for so small a window
REQUEST = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def address(app, environment) -> Iterator[str]:
    with served({**environment, "WEB_THREADS": str(THREADS)}) as url:
        yield url
    empty_tables(app)


@contextlib.contextmanager
def receivers(address: str, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open so many connections with a small window that have sent these bytes and receive nothing by themselves."""
    target = urlsplit(address)
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.settimeout(30)
            one.connect((target.hostname, target.port))
            one.sendall(sent)
            opened.append(one)
        yield opened


def probe(address: str, times: int = 20) -> int:
    """Return how many of so many requests are answered."""
    return sum(requests.get(f"{address}/health/live", timeout=5).ok for _ in range(times))


@pytest.mark.parametrize("count", [24, 240])
@pytest.mark.parametrize("pipelined", [1, 5])
def test_clients_that_never_receive_leave_every_thread_free(address, count, pipelined):
    request = REQUEST.format(DOCUMENT).encode() * pipelined
    with receivers(address, count, request):
        assert probe(address) == 20


def test_clients_that_never_receive_are_cut_off(address):
    with receivers(address, 3, REQUEST.format(DOCUMENT).encode()) as opened:
        wait_for(lambda: all(is_reset(one) for one in opened), 60)


def is_reset(one: socket.socket) -> bool:
    """Return whether the server has ended a connection of which nothing was read."""
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1  # 1: established


def test_a_slow_client_gets_the_whole_document(address):
    whole = requests.get(f"{address}{DOCUMENT}", timeout=30).content
    with receivers(
        address, 1, REQUEST.format(DOCUMENT).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode()
    ) as (one,):
        pieces = []
        while piece := one.recv(4096):
            pieces.append(piece)
    assert b"".join(pieces).partition(b"\r\n\r\n")[2] == whole


def test_a_kept_connection_answers_again_after_a_slow_response(address):
    with receivers(address, 1, REQUEST.format(DOCUMENT).encode() + REQUEST.format("/health/live").encode()) as (one,):
        received = b""
        while not received.endswith(b'"}') or b'"status"' not in received[-200:]:
            received += one.recv(65_536)
    assert received.count(b"HTTP/1.1 200 OK") == 2
