"""Requests that wait for a server outside: for how long, and how many at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from catalog import outside, streams
from catalog.webhooks import service, testing
from tests.processes import served, wait_for
from tests.webhooks.receivers import Receiver

URL = "/api/v1/webhooks"
THREADS = 8


def silent(connection, _):
    connection.recv(1)


@pytest.fixture
def silent_receiver():
    with Receiver(silent) as one:
        yield one


def test_a_test_ends_by_our_limit_where_the_webhooks_timeout_is_longer(client, silent_receiver, monkeypatch):
    monkeypatch.setattr(testing, "MAX_SECONDS", 0.3)
    hook = client.post(URL, json={"url": silent_receiver.url, "events": ["*"], "timeout_seconds": 60}).json["id"]
    tested = client.post(f"{URL}/{hook}/test", json={})
    assert (tested.status_code, tested.json["success"]) == (200, False)
    assert tested.json["error"] == "Timed out after 0.3 s"


def test_a_test_without_a_slot_is_refused_and_sends_nothing(app, client, receiver):
    hook = client.post(URL, json={"url": receiver.url, "events": ["*"]}).json["id"]
    with app.app_context():
        taken = [outside.take() for _ in range(THREADS)]
    try:
        refused = client.post(f"{URL}/{hook}/test", json={})
    finally:
        for release in filter(None, taken):
            release()
    assert (refused.status_code, refused.json["code"], "Retry-After" in refused.headers) == (503, "unavailable", True)
    assert receiver.connections == 0
    assert client.get(f"{URL}/{hook}/logs").json["items"] == []
    assert client.post(f"{URL}/{hook}/test", json={}).json["success"]


def test_waiting_requests_hold_a_quarter_of_the_threads_and_with_streams_half(app):
    with app.app_context():
        total = streams.slots().number
        waiting = [release for _ in range(THREADS) if (release := outside.take())]
        streaming = [release for _ in range(THREADS) if (release := streams.slots().take())]
        for release in (*waiting, *streaming):
            release()
        again = [release for _ in range(THREADS) if (release := streams.slots().take())]
        none_left = outside.take()
        for release in again:
            release()
    assert (len(waiting), len(streaming), len(again)) == (app.config["WEB_THREADS"] // 4, total - len(waiting), total)
    assert none_left is None


def test_a_name_is_not_waited_for_without_a_slot(app, client, monkeypatch):
    waited = []
    monkeypatch.setattr(service._names, "wait", lambda name, seconds, owner: waited.append(seconds) or ())
    body = {"url": "https://silent.example.com/", "events": ["*"]}
    assert client.post(URL, json=body).status_code == 201
    with app.app_context():
        taken = [outside.take() for _ in range(THREADS)]
    try:
        assert client.post(URL, json=body).status_code == 201
    finally:
        for release in filter(None, taken):
            release()
    assert waited == [service.LOOKUP_SECONDS, 0]


@pytest.mark.processes
def test_silent_receivers_under_test_leave_threads_for_others(committed, environment, silent_receiver):
    """Twenty at once: as many as there are slots wait, the others are refused, and all the while others are served."""
    with served({**environment, "WEB_THREADS": str(THREADS)}) as url, ThreadPoolExecutor(20) as clients:
        hook = requests.post(
            url + URL, json={"url": silent_receiver.url, "events": ["webhook.disabled"], "timeout_seconds": 60}
        ).json()["id"]
        statuses: list[int] = []

        def test(_):
            statuses.append(requests.post(f"{url}{URL}/{hook}/test", json={}, timeout=60).status_code)

        tests = [clients.submit(test, number) for number in range(20)]
        wait_for(lambda: len(statuses) >= 20 - THREADS // 4)
        assert set(statuses) == {503}
        for path in ("/health/live", "/api/v1/products", "/console/webhooks"):
            assert requests.get(url + path, timeout=5).status_code == 200
        assert silent_receiver.connections == THREADS // 4
        for one in tests:
            one.result(60)
    assert sorted(statuses) == [200] * (THREADS // 4) + [503] * (20 - THREADS // 4)
