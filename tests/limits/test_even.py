"""Connections that are opened at once and kept are shared out over the web server's processes."""

import socket
from statistics import median

import psutil
import pytest

from tests.processes import served, wait_for

pytestmark = pytest.mark.processes

CONNECTIONS, TRIES = 16, 9
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_no_process_takes_nearly_all_of_the_connections_that_are_opened_at_once(environment):
    with served(environment, workers=2) as url:
        port = int(url.rpartition(":")[2])
        most = median(_largest_share(port) for _ in range(TRIES))

    assert most <= CONNECTIONS * 3 / 4  # gunicorn's own: 15 of 16


def _largest_share(port: int) -> int:
    """Return how many connections the fuller process has, once all have been answered."""
    opened = []
    try:
        for _ in range(CONNECTIONS):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            opened[-1].sendall(REQUEST)
        for each in opened:
            assert each.recv(4096).startswith(b"HTTP/1.1 200")
        return max(_taken(port).values())
    finally:
        for each in opened:
            each.close()
        wait_for(lambda: not _taken(port))


def _taken(port: int) -> dict[int, int]:
    """Return how many established connections each process has at its end of them, by pid."""
    taken: dict[int, int] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_ESTABLISHED and connection.laddr[1] == port and connection.pid:
            taken[connection.pid] = taken.get(connection.pid, 0) + 1
    return taken
