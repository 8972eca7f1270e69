"""What threads submit at the same time goes together, and whoever comes alone waits for nobody."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from catalog.orders import together
from catalog.orders.together import Together
from tests.processes import wait_for


def test_what_comes_in_during_a_call_goes_together_in_the_next():
    begun, go, calls = threading.Event(), threading.Event(), []

    def call(numbers):
        calls.append(len(numbers))
        begun.set()
        assert go.wait(10)
        return [number * 10 for number in numbers]

    line = Together(call)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(line.submit, 0)
        assert begun.wait(10)
        others = [threads.submit(line.submit, number) for number in range(1, 9)]
        wait_for(lambda: len(line._waiting) == 8)
        go.set()
        assert [each.result(10) for each in (first, *others)] == [number * 10 for number in range(9)]
    assert calls == [1, 8]


def test_a_call_waits_for_as_many_as_went_together_the_last_time(monkeypatch):
    monkeypatch.setattr(together, "LINGER_SECONDS", 10.0)
    calls = []

    def call(numbers):
        calls.append(sorted(numbers))
        return numbers

    line = Together(call)
    line._last = 3
    with ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        assert sorted(threads.map(line.submit, range(3))) == [0, 1, 2]
    assert time.monotonic() - began < 5
    assert calls == [[0, 1, 2]]


def test_a_call_does_not_wait_long_for_those_who_stay_away():
    line = Together(list)
    line._last = 100
    assert [line.submit(number) for number in range(3)] == [0, 1, 2]
    assert line._last == 1


def test_a_call_that_fails_fails_for_each_and_the_next_one_is_made():
    def call(numbers):
        if 1 in numbers:
            raise RuntimeError("no")
        return numbers

    line = Together(call)
    assert isinstance(line.submit(1), RuntimeError)
    assert line.submit(2) == 2


def test_a_call_that_ends_its_thread_or_forgets_somebody_leaves_nobody_waiting():
    ends = [lambda numbers: sys.exit(), lambda numbers: [], lambda numbers: numbers]
    line = Together(lambda numbers: ends.pop(0)(numbers))
    assert isinstance(line.submit(1), RuntimeError)
    assert isinstance(line.submit(2), RuntimeError)
    assert line.submit(3) == 3


def test_without_a_thread_an_item_fails_and_the_next_one_tries_again(monkeypatch):
    line = Together(list)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no threads")))
        assert isinstance(line.submit(1), RuntimeError)
    assert line.submit(2) == 2


def test_each_of_many_gets_its_own_outcome():
    line = Together(lambda numbers: [number + 1 for number in numbers])
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(line.submit, range(5_000))) == list(range(1, 5_001))
