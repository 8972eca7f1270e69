"""Attempts against receivers that misbehave: each ends in time, and within bounds of memory."""

import gc
import resource
import socket
import struct
import threading
import time

import pytest

from catalog.webhooks.transfer import BODY_LIMIT, Post
from tests.processes import calmest
from tests.webhooks.receivers import Receiver, TlsReceiver, answer, make_certificate

LIMIT = 1.0


def forever(receiver_connection, piece, pause):
    """Send a piece again and again until the other side is gone."""
    while True:
        receiver_connection.sendall(piece)
        if pause:
            time.sleep(pause)


def head_drip(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    forever(connection, b"x", 0.05)


def body_drip(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    forever(connection, b"x", 0.05)


def flood_of_1xx(connection, _):
    forever(connection, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 200, 0.001)


def slow_1xx(connection, _):
    forever(connection, b"HTTP/1.1 102 Processing\r\n\r\n", 0.05)


def ten_gigabytes(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    forever(connection, b"x" * 1_000_000, 0)


def endless_header(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    forever(connection, b"x" * 100_000, 0)


def never_answers(connection, _):
    connection.recv(1)


def never_closes(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
    connection.recv(1)


def reset(connection, _):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def no_http(connection, _):
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.close()


HOSTILE = [
    head_drip,
    body_drip,
    flood_of_1xx,
    slow_1xx,
    ten_gigabytes,
    endless_header,
    never_answers,
    never_closes,
    reset,
    no_http,
]


@pytest.mark.parametrize("behaviour", HOSTILE)
def test_an_attempt_ends_within_its_limit_and_memory_stays(behaviour, make_sender):
    sender = make_sender()
    with Receiver() as warm:
        sender.send(Post(None, warm.url, {}, b"{}", LIMIT))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = []

    def attempt():
        with Receiver(behaviour) as receiver:
            began = time.monotonic()
            results.append(sender.send(Post(None, receiver.url, {}, b"{}", LIMIT)))
            return time.monotonic() - began

    assert calmest(attempt, LIMIT + 0.5) < LIMIT + 0.5
    result = results[-1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 5_000  # KB
    assert len(result.body) <= BODY_LIMIT
    assert (result.error is None) == (behaviour is ten_gigabytes)  # it said 200, and the rest is cut off


def test_a_dripping_receiver_holds_up_no_other(make_sender):
    sender = make_sender()
    with Receiver(body_drip) as slow, Receiver() as healthy:
        for number in range(20):
            sender.start(Post(number, slow.url, {}, b"{}", 30))
        began = time.monotonic()
        sender.start(Post("healthy", healthy.url, {}, b"{}", 30))
        while not any(result.key == "healthy" for result in sender.turn(0.1)):
            assert time.monotonic() - began < 15


def test_names_whose_servers_are_silent_hold_up_no_other(receiver, make_sender):
    heard = threading.Event()

    def lookup(name):
        if name.startswith("silent"):
            heard.wait(30)
        return ("127.0.0.1",)

    sender = make_sender(lookup=lookup)
    for number in range(60):
        sender.start(Post(number, f"http://silent{number}.example/", {}, b"{}", 0.5))
    began = time.monotonic()
    sender.start(Post("healthy", f"http://fine.example:{receiver.port}/", {}, b"{}", 3))
    results = []
    while len(results) < 61:
        results += sender.turn(0.1)
        assert time.monotonic() - began < 15
    heard.set()
    assert results[0].key == "healthy"
    assert {result.error for result in results[1:]} <= {
        f"Timed out after 0.5 s, looking up silent{number}.example" for number in range(60)
    }


def test_a_redirect_is_a_failure_and_is_not_followed(make_sender):
    with Receiver() as target:
        with Receiver(answer(302, location=target.url)) as receiver:
            result = make_sender().send(Post(None, receiver.url, {}, b"{}", LIMIT))
        assert (result.status_code, result.error) == (302, "HTTP 302, and redirects are not followed")
        assert target.connections == 0


@pytest.mark.parametrize(
    ("said", "understood"),
    [("7", 7), ("0", None), ("-5", None), ("nonsense", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None)],
)
def test_retry_after_is_read_where_it_makes_sense(said, understood, make_sender):
    with Receiver(answer(429, retry_after=said)) as receiver:
        assert make_sender().send(Post(None, receiver.url, {}, b"{}", LIMIT)).retry_after == understood


def test_huge_and_far_retry_after_are_large_numbers(make_sender):
    for said in ("99999999999999999999", "Wed, 21 Oct 2099 07:28:00 GMT"):
        with Receiver(answer(503, retry_after=said)) as receiver:
            asked = make_sender().send(Post(None, receiver.url, {}, b"{}", LIMIT)).retry_after
            assert asked is None or asked >= 3600


def test_connections_are_used_again(receiver, make_sender):
    sender = make_sender()
    for _ in range(20):
        assert sender.send(Post(None, receiver.url, {}, b"{}", LIMIT)).status_code == 200
    assert (len(receiver.requests), receiver.connections) == (20, 1)


def test_what_is_sent_is_the_body_and_the_headers_and_nothing_that_waits_for_100_continue(receiver, make_sender):
    body = b"x" * 5_000
    make_sender().send(Post(None, receiver.url, {"X-One": "1"}, body, LIMIT))
    request = receiver.requests[0]
    assert (request.body, request.headers["x-one"]) == (body, "1")
    assert "expect" not in request.headers


def test_a_body_that_is_no_text_comes_back_as_text_that_postgresql_takes(make_sender):
    with Receiver(answer(500, b"\xff\x00abc")) as receiver:
        assert make_sender().send(Post(None, receiver.url, {}, b"{}", LIMIT)).body == "\ufffd\ufffdabc"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_tls_is_verified_against_the_certificates_and_the_name(certificate, make_sender):
    with TlsReceiver(certificate) as receiver:
        url = f"https://localhost:{receiver.port}/"
        unknown = make_sender().send(Post(None, url, {}, b"{}", 3))
        wrong_name = make_sender(ca_file=str(certificate / "cert.pem")).send(
            Post(None, url.replace("localhost", "127.0.0.1"), {}, b"{}", 3)
        )
        trusted = make_sender(ca_file=str(certificate / "cert.pem")).send(Post(None, url, {}, b"{}", 3))
    assert (unknown.status_code, wrong_name.status_code, trusted.status_code) == (None, None, 200)
    assert "certificate" in unknown.error
    assert len(receiver.requests) == 1
