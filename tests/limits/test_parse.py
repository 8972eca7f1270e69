"""Rates as settings write them, and the counters that a process keeps for itself while Redis is away."""

import threading

import pytest

from catalog.ratelimits import local_counters
from catalog.ratelimits.local_counters import LocalCounters
from catalog.ratelimits.rates import parse


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [
        ("60/minute", 60, 60),
        ("1000/second", 1000, 1),
        ("10/15 minutes", 10, 900),
        ("10/15minutes", 10, 900),
        ("10 per 2 hours", 10, 7_200),
        ("10per hour", 10, 3_600),
        (" 5 / day ", 5, 86_400),
        ("1/Month", 1, 2_592_000),
        ("1/2 YEARS", 1, 62_208_000),
        ("1/0 seconds", 1, 1),
        ("0/minute", 0, 60),
        ("1/second;5/minute", 1, 1),
        ("1/second , 5 per minute|7/day", 1, 1),
    ],
)
def test_a_rate_is_read_as(text, amount, seconds):
    rate = parse(text)
    assert (rate.amount, rate.seconds) == (amount, seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "often", "60", "60/", "60/fortnight", "60/minutess", "-1/minute", "1.5/minute", "60 minute", "1/minute;"),
        *("1/second;often", "٣/minute", "60/minute x", "x 60/minute", "per minute"),
    ],
)
def test_all_else_is_refused(text):
    with pytest.raises(ValueError, match="not a rate"):
        parse(text)


def test_counters_have_the_keys_that_other_versions_count_under():
    key = parse("10/15 minutes").key_for("catalog:fixed-window", "key:1", "reads")
    assert key == "LIMITER/catalog:fixed-window/key:1/reads/10/15/minute"


class TestLocalCounters:
    @pytest.fixture
    def now(self):
        return [100.0]

    @pytest.fixture
    def counters(self, now):
        return LocalCounters(lambda: now[0])

    def test_a_window_begins_with_the_first_that_is_taken_and_ends_after_its_time(self, counters, now):
        assert counters.take("a", 0, 60) == (0, 0, 60)
        now[0] += 30
        assert counters.take("a", 2, 60) == (2, 2, 60)
        now[0] += 59
        assert counters.take("a", 1, 60) == (1, 3, 1)
        assert counters.take("b", 1, 60) == (1, 1, 60)
        now[0] += 1
        assert counters.take("a", 1, 60) == (1, 1, 60)

    def test_no_more_than_the_most_is_taken_in_all(self, counters):
        assert [counters.take("a", 3, 60, 5)[:2] for _ in range(3)] == [(3, 3), (2, 5), (0, 5)]

    def test_what_is_put_back_can_be_taken_again_while_its_window_lasts(self, counters, now):
        counters.take("a", 3, 60)
        counters.put_back("a", 1)
        assert counters.take("a", 0, 60)[1] == 2
        counters.put_back("a", 3)  # more than there is: of another window
        assert counters.take("a", 0, 60)[1] == 2
        now[0] += 60
        counters.put_back("a", 1)
        assert counters.take("a", 0, 60)[1] == 0

    def test_the_memory_that_it_takes_is_bounded(self, counters, now, monkeypatch):
        monkeypatch.setattr(local_counters, "MOST", 3)
        for number in range(3):
            counters.take(f"old {number}", 1, 10)
        now[0] += 5
        counters.take("old 0", 1, 10)
        assert counters.take("old 1", 0, 10)[1] == 1
        now[0] += 5
        counters.take("new", 1, 10)
        assert set(counters._windows) == {"new"}
        for number in range(3):
            counters.take(f"newer {number}", 1, 10)
        assert len(counters._windows) <= 3

    def test_many_threads_take_no_more_than_there_is(self):
        counters, taken = LocalCounters(), []

        def take():
            taken.extend(counters.take("a", 3, 60, 1_000)[0] for _ in range(100))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(taken) == 1_000
