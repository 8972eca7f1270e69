"""The buffer of a connection, over real sockets: what waits, whose time is over, and which address loses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from catalog.web import response_buffer
from catalog.web.response_buffer import Budget, BufferedSocket, SlowReceiver

MEGABYTE = b"x" * 1_000_000

Connect = Callable[..., tuple[BufferedSocket, socket.socket]]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return pairs of a server's buffered socket and its client's, with small buffers."""
    opened: list[socket.socket] = []
    monkeypatch.setattr(response_buffer, "SEND_BUFFER_BYTES", 8192)

    def make(budget: Budget | None = None, address: str = "192.0.2.1") -> tuple[BufferedSocket, socket.socket]:
        server, client = socket.socketpair()
        client.settimeout(30)
        buffered = BufferedSocket(server, address, budget or Budget())
        opened.extend((buffered, client))
        return buffered, client

    yield make
    for each in opened:
        each.close()


def test_sendall_returns_before_the_client_receives_and_the_rest_follows_in_order(connect):
    server, client = connect()
    sent = [bytes([number]) * 300_000 for number in range(3)]
    for each in sent[:1]:
        server.sendall(each)
    assert server.pending_bytes > 200_000
    received = bytearray()
    reader = threading.Thread(target=lambda: received.extend(b"".join(iter(lambda: client.recv(65_536), b""))))
    reader.start()
    for each in sent[1:]:
        server.sendall(each)
    while not server.send_pending():
        pass
    server.shutdown(socket.SHUT_WR)
    reader.join()
    assert bytes(received) == b"".join(sent)


def test_a_stream_waits_for_its_client_and_holds_no_more_than_its_buffer(connect):
    server, client = connect()
    held = []

    def stream() -> None:
        for _ in range(50):
            server.sendall(b"x" * 65_536)
            held.append(server.pending_bytes)
        server.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=stream)
    writer.start()
    received = sum(len(piece) for piece in iter(lambda: client.recv(65_536), b""))
    writer.join()
    assert received + server.pending_bytes >= 50 * 65_536
    assert max(held) <= response_buffer.STREAM_BUFFER_BYTES + 65_536


def test_a_stream_whose_client_receives_nothing_ends(connect, monkeypatch):
    monkeypatch.setattr(response_buffer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(response_buffer, "PAUSE_SECONDS", 0.05)
    server, _ = connect()
    server.sendall(MEGABYTE)
    with pytest.raises(SlowReceiver):
        server.sendall(b"more")


def test_a_client_that_receives_at_the_rate_is_never_too_slow(connect, monkeypatch):
    monkeypatch.setattr(response_buffer, "PATIENCE_SECONDS", 10.0)
    server, client = connect()
    server.sendall(MEGABYTE)
    now = time.monotonic()
    for _ in range(40):  # 20 kB a second, checked each second; the clock is ours, the bytes are real
        now += 1
        receive(server, client, response_buffer.BYTES_PER_SECOND)
        assert not server.is_too_slow(now)


def test_a_client_that_receives_half_the_rate_is_too_slow_after_twice_the_patience(connect):
    server, client = connect()
    server.sendall(MEGABYTE)
    began = now = time.monotonic()
    while not server.is_too_slow(now):
        now += 1
        receive(server, client, response_buffer.BYTES_PER_SECOND // 2)
    assert 15 <= now - began <= 30


def receive(server: BufferedSocket, client: socket.socket, count: int) -> None:
    while count > 0:
        server.send_pending()
        count -= len(client.recv(count))


def test_over_the_limit_the_address_with_most_bytes_loses_its_oldest_connections(connect):
    budget = Budget(limit=5_000_000)
    modest, _ = connect(budget, "192.0.2.1")
    modest.sendall(MEGABYTE)
    greedy = [connect(budget, "192.0.2.2")[0] for _ in range(6)]
    for each in greedy:
        each.sendall(MEGABYTE)
    assert not modest.aborted
    aborted = [bool(each.aborted) for each in greedy]
    assert aborted[0]
    assert not aborted[-1]
    assert all(first >= second for first, second in pairwise(aborted))
    with pytest.raises(SlowReceiver):
        greedy[0].send_pending()


def test_a_closed_connection_leaves_no_bytes_in_the_budget(connect):
    budget = Budget(limit=1_500_000)
    for _ in range(5):
        server, _ = connect(budget)
        server.sendall(MEGABYTE)
        assert not server.aborted
        server.close()
