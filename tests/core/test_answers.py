"""gunicorn's answers: short ones in one piece, all others as gunicorn sends them."""

import types

import pytest

from catalog.web.answers import MOST_BYTES, Answer

SETTINGS = types.SimpleNamespace(protocol="http", is_ssl=False, sendfile=False)


class Sent:
    """A socket that keeps what it is given."""

    def __init__(self):
        self.pieces = []

    def sendall(self, data):
        self.pieces.append(bytes(data))


def answer(body, *headers, method="GET", status="200 OK"):
    """Send a body, piece by piece, and return the pieces that reached the socket."""
    sent = Sent()
    request = types.SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    response = Answer(request, sent, SETTINGS)
    response.start_response(status, [("Content-Type", "text/plain"), *headers])
    for piece in body:
        response.write(piece)
    response.close()
    return sent.pieces


def length(count):
    return ("Content-Length", str(count))


def test_a_body_that_comes_whole_goes_with_its_head():
    (whole,) = answer([b"hello"], length(5))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 5" in head
    assert body == b"hello"


@pytest.mark.parametrize(
    ("body", "headers", "options"),
    [
        ([b"hel", b"lo"], [length(5)], {}),
        ([b"x" * (MOST_BYTES + 1)], [length(MOST_BYTES + 1)], {}),
        ([b"hello"], [], {}),  # chunked
        ([b"hello"], [length(5)], {"method": "HEAD"}),
        ([b""], [length(0)], {}),
        ([], [length(0)], {}),
        ([], [], {"status": "304 NOT MODIFIED"}),
    ],
)
def test_everything_else_is_byte_for_byte_what_gunicorn_sends(monkeypatch, body, headers, options):
    ours = b"".join(answer(body, *headers, **options))
    monkeypatch.setattr(Answer, "write", Answer.__mro__[1].write)
    theirs = b"".join(answer(body, *headers, **options))
    assert _without_date(ours) == _without_date(theirs)


def test_a_body_that_is_longer_than_announced_is_cut_as_gunicorn_does():
    assert b"".join(answer([b"hello!"], length(5))).endswith(b"\r\n\r\nhello")


def _without_date(raw):
    return [line for line in raw.split(b"\r\n") if not line.startswith(b"Date: ")]
