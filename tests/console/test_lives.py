"""A delivery's life as a picture."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from catalog.console import lives

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)


def at(seconds):
    return BEGAN + timedelta(seconds=seconds)


def delivery(status="delivered", due=None, queued=0):
    return SimpleNamespace(status=status, due_at=due, queued_at=at(queued))


def attempts(*seconds, good=False):
    made = [
        SimpleNamespace(attempt=number, created_at=at(second), status_code=500, error="The receiver answered 500.")
        for number, second in enumerate(seconds, 1)
    ]
    if good:
        made[-1].error, made[-1].status_code = None, 200
    return made[::-1]


def test_the_event_each_attempt_and_the_waits_between_them_stand_in_a_row():
    life = lives.of(delivery(), attempts(0.04, 2.04, 302, good=True), NOW)
    assert [dot["kind"] for dot in life["dots"]] == ["event", "failed", "failed", "delivered"]
    assert [dot["text"] for dot in life["dots"]] == ["", "500", "500", "200"]
    assert [line["text"] for line in life["lines"]] == ["40 ms", "2 s", "5 min"]
    assert [dot["x"] for dot in life["dots"]] == sorted(dot["x"] for dot in life["dots"])
    assert life["dots"][-1]["x"] < life["width"]
    assert life["label"] == "queued, attempt 1 500, attempt 2 500, attempt 3 200"


def test_what_waits_ends_with_its_next_attempt_which_lies_ahead():
    life = lives.of(delivery("pending", due=at(7_200)), attempts(1), NOW)
    assert [dot["kind"] for dot in life["dots"]] == ["event", "failed", "next"]
    assert [line["later"] for line in life["lines"]] == [False, True]


def test_one_that_was_queued_again_begins_with_what_was_tried_before():
    life = lives.of(delivery(queued=60), attempts(1, 61, good=True), NOW)
    assert [dot["kind"] for dot in life["dots"]] == ["failed", "delivered"]


def test_of_many_attempts_the_first_and_the_latest_are_shown():
    life = lives.of(delivery("failed"), attempts(*range(1, 31)), NOW)
    names = [dot["name"] for dot in life["dots"]]
    assert names[:2] == ["queued", "attempt 1"]
    assert names[2:] == [f"attempt {number}" for number in range(23, 31)]


def test_one_that_was_never_tried_is_its_event_alone():
    life = lives.of(delivery("failed"), [], NOW)
    assert (len(life["dots"]), life["lines"]) == (1, [])


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0042, "4 ms"), (1, "1 s"), (59.4, "59 s"), (300, "5 min"), (7_200, "2 h"), (90_000, "1 d")]
)
def test_a_time_is_told_in_its_largest_unit(seconds, text):
    assert lives.span(seconds) == text
