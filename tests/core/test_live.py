"""What only a real socket shows: lying lengths, slow and broken clients."""

import re
import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import empty_tables
from tests.processes import served

pytestmark = pytest.mark.processes

PRODUCTS = "/api/v1/products"


@pytest.fixture(scope="module")
def address(app, environment):
    with served(environment) as url:
        yield url
    empty_tables(app)


def exchange(address: str, *parts: bytes, half_close: bool = True) -> str:
    """Send raw bytes and return all that comes back before the server closes or 10 s pass."""
    target = urlsplit(address)
    with socket.create_connection((target.hostname, target.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received.decode()


def head(length: object, content_type: str = "application/json") -> bytes:
    return (
        f"POST {PRODUCTS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def status(answer: str) -> int:
    return int(re.match(r"HTTP/1\.\d (\d+)", answer)[1])


def total(address: str) -> int:
    return requests.get(f"{address}{PRODUCTS}/stats", timeout=5).json()["total"]


def test_a_body_shorter_than_its_length_is_refused_and_nothing_is_written(address):
    before = total(address)
    answer = exchange(address, head(500), b'{"name": "cut off"}')
    assert answer == "" or status(answer) == 400
    assert total(address) == before


def test_a_body_longer_than_its_length_is_not_read_past_it(address):
    answer = exchange(address, head(4), b'{"name": "longer"}')
    assert status(answer) == 400


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999999"])
def test_a_length_that_is_none_is_refused(address, length):
    assert status(exchange(address, head(length), b"{}")) in (400, 413)


def test_a_body_beyond_the_largest_upload_is_refused_before_it_is_read(address):
    answer = exchange(address, head(10**12), b"{}")
    assert status(answer) in (400, 413)


def test_json_that_is_called_something_else_is_415(address):
    body = b'{"name": "x"}'
    assert status(exchange(address, head(len(body), "text/html"), body)) == 415


def test_a_client_that_leaves_before_the_answer_does_no_harm(address):
    target = urlsplit(address)
    body = b'{"name": "gone"}'
    for _ in range(20):
        with socket.create_connection((target.hostname, target.port), timeout=5) as connection:
            connection.sendall(head(len(body)) + body)
    assert requests.get(f"{address}/health/live", timeout=5).ok


def test_a_slow_sender_does_not_keep_others_waiting(address):
    target = urlsplit(address)
    slow = [socket.create_connection((target.hostname, target.port), timeout=5) for _ in range(3)]
    try:
        for connection in slow:
            connection.sendall(head(100) + b"{")
        assert requests.get(f"{address}{PRODUCTS}", timeout=5).ok
    finally:
        for connection in slow:
            connection.close()


def test_a_path_with_broken_escapes_is_404(address):
    for path in ("/%ff%fe", "/api/v1/products/%00", "/api/v1/products/by-sku/%ff"):
        assert requests.get(address + path, timeout=5).status_code == 404


def test_an_encoded_slash_reaches_the_product_that_it_names_and_no_other(address):
    paths = [f"{address}{PRODUCTS}/by-sku/{sku}" for sku in ("LIVE", "LIVE%2F", "%2FLIVE", "LI%0AVE")]
    for number, path in enumerate(paths):
        assert requests.put(path, json={"name": f"Product {number}"}, timeout=5).status_code == 201, path
    assert [requests.get(path, timeout=5).json()["name"] for path in paths] == [f"Product {n}" for n in range(4)]
