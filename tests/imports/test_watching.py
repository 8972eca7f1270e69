"""Progress as server-sent events, from a real web server with two threads."""

import contextlib
import json
import threading

import pytest
import requests

from catalog.eventstream import EventStream, Pace
from catalog.imports import watching
from tests.forked import running
from tests.processes import served, wait_for

LESS_THAN_A_STREAM = watching.PACE.stream_seconds / 2  # who waits for a stream's thread to be free waits longer


@pytest.fixture(scope="module")
def server(environment):
    """A server of one process with four threads: two streams at once."""
    with served({**environment, "WEB_THREADS": "4"}) as url:
        yield url


@pytest.fixture
def address(committed, server):
    return server


def upload(url: str, rows: int = 1) -> str:
    text = "sku,name\n" + "".join(f"S{row},N\n" for row in range(rows))
    answer = requests.post(f"{url}/api/v1/products/upload", files={"file": ("p.csv", text)}, timeout=10)
    return answer.json()["task_id"]


def opened(url: str, task: str, **headers: str) -> requests.Response:
    answer = requests.get(f"{url}/api/v1/imports/{task}/events", headers=headers, stream=True, timeout=20)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    return answer


def parsed(text: str) -> list[dict]:
    events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [{**event, "data": json.loads(event["data"])} for event in events if "data" in event]


@pytest.mark.processes
def test_a_stream_tells_every_step_until_the_end(address, environment):
    task = upload(address, 30_000)
    with opened(address, task) as stream, running(environment, "catalog.cli", "worker", "imports"):
        events = parsed(stream.text)
    assert [event["event"] for event in events] == ["progress"] * (len(events) - 1) + ["end"]
    assert events[0]["data"]["state"] == "Pending"
    assert events[-1]["data"]["created"] == 30_000
    assert [event["data"]["percent"] for event in events] == sorted(event["data"]["percent"] for event in events)
    with opened(address, task, **{"Last-Event-ID": events[-2]["id"]}) as again:
        assert [event["event"] for event in parsed(again.text)] == ["end"]


@pytest.mark.processes
def test_more_streams_than_threads_leave_the_service_answering_and_each_gets_its_event(address):
    task = upload(address)
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(opened(address, task)) for _ in range(12)]
        assert requests.get(f"{address}/health/live", timeout=LESS_THAN_A_STREAM).ok
        short = streams[2:]
        assert all(len(parsed(stream.text)) == 1 for stream in short)
        assert requests.get(f"{address}/health/live", timeout=LESS_THAN_A_STREAM).ok
    # Those that held a place have gone away: a new stream gets one and stays open.
    wait_for(lambda: lasts(address, task), 40)


def lasts(url: str, task: str) -> bool:
    """Tell whether a new stream stays open after its first event."""
    with opened(url, task) as stream, contextlib.suppress(requests.RequestException):
        ended = threading.Event()
        thread = threading.Thread(target=lambda: (stream.raw.read(100_000), ended.set()), daemon=True)
        thread.start()
        return not ended.wait(1)
    return False


def test_a_stream_without_news_beats_and_ends_in_time(context):
    from catalog.imports import report

    values = dict.fromkeys(("percent", "total_rows", "created", "updated", "unchanged", "superseded", "rejected"), 0)
    progress = report.progress(None, {**values, "state": "pending", "staged_rows": None})
    pace = Pace(stream_seconds=0.2, look_seconds=0.01, beat_seconds=0, retry_milliseconds=2_000)
    pieces = list(EventStream(watching.news(lambda: progress, None), pace, lambda: None, lambda: True))
    assert pieces[0] == b"retry: 2000\n\n"
    assert pieces[1].startswith(b"id: Pending-0-0\nevent: progress\n")
    assert set(pieces[2:]) == {b": still there\n\n"}
    assert len(pieces) > 3


def test_events_of_no_import_are_not_found(client):
    assert client.get("/api/v1/imports/00000000-0000-0000-0000-000000000000/events").status_code == 404
