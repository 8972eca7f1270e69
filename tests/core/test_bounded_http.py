"""A GET that is bounded in time and size, against servers that hang, drip and never end."""

import os
import time
from collections.abc import Iterator

import pytest

from catalog import bounded_http
from catalog.bounded_http import RequestFailed, TimedOut, TooLarge
from tests.orders import fakestore as stores
from tests.orders.fakestore import FakeStore


@pytest.fixture
def server() -> Iterator[FakeStore]:
    with FakeStore() as made:
        yield made


def get(server: FakeStore, total_seconds: float = 5, max_bytes: int = 1_000) -> tuple[int, bytes]:
    return bounded_http.get(f"{server.url}/products/7", total_seconds, max_bytes)


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_every_status_is_an_answer_also_a_redirect(server, status):
    server.behave = stores.saying(b"said", status)
    assert get(server) == (status, b"said")
    assert len(server.asked) == 1


@pytest.mark.parametrize("behave", [stores.hanging, stores.dripping_head, stores.dripping_body])
def test_the_time_limit_is_one_of_the_whole(server, behave):
    server.behave = behave
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"within 0\.3 s"):
        get(server, 0.3)
    assert 0.25 < time.monotonic() - began < 3  # without it: 30 s or for ever


def test_a_body_as_large_as_allowed_is_an_answer_and_a_byte_more_is_not(server):
    server.behave = stores.saying(b"x" * 1_000)
    assert get(server) == (200, b"x" * 1_000)
    server.behave = stores.saying(b"x" * 1_001)
    with pytest.raises(TooLarge, match="1,000 bytes"):
        get(server)
    server.behave = stores.endless
    with pytest.raises(TooLarge):
        get(server)


def test_a_body_that_is_cut_short_is_none(server):
    def behave(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        handler.close_connection = True

    server.behave = behave
    with pytest.raises(RequestFailed):
        get(server)


def test_a_failure_tells_nothing_of_the_other_side():
    with pytest.raises(RequestFailed, match=r"^libcurl error \d+$"):
        bounded_http.get("http://127.0.0.1:1/secret", 5, 1_000)


def test_other_protocols_are_refused(tmp_path):
    (tmp_path / "file").write_text("secret")
    with pytest.raises(RequestFailed):
        bounded_http.get((tmp_path / "file").as_uri(), 5, 1_000)


def test_connections_are_kept_and_proxies_of_the_environment_are_not_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert [get(server)[0] for _ in range(5)] == [200] * 5
    assert len(server.clients) == 1


def test_a_forked_child_has_connections_of_its_own(server, monkeypatch):
    get(server)
    parent = os.getpid()
    monkeypatch.setattr(bounded_http.os, "getpid", lambda: -parent)
    get(server)
    assert len(server.clients) == 2
