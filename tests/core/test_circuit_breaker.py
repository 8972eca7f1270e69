"""The circuit breaker: how many failures open it, and who is let through when."""

import subprocess
import sys
import threading

import pytest

from catalog.circuit_breaker import CircuitBreaker


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def breaker(now):
    return CircuitBreaker(3, 15.0, lambda: now[0])


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()


def test_so_many_failures_in_a_row_open_it_and_only_the_last_says_so(breaker):
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    assert [breaker.failed() for _ in range(4)] == [False, False, True, False]
    assert breaker.tripped
    assert breaker.is_open


def test_it_lets_one_attempt_through_after_each_pause(breaker, now):
    trip(breaker)
    assert not breaker.allows()
    now[0] += 15
    assert not breaker.is_open
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    now[0] += 15
    assert breaker.allows()
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(10))
    assert not breaker.tripped


def test_an_attempt_that_fails_begins_another_pause(breaker, now):
    trip(breaker)
    now[0] += 15
    assert breaker.allows()
    now[0] += 10
    breaker.failed()
    now[0] += 14
    assert not breaker.allows()
    now[0] += 1
    assert breaker.allows()


def test_of_many_threads_one_is_let_through(breaker, now):
    trip(breaker)
    now[0] += 15
    let_through, start = [], threading.Barrier(8)

    def attempt():
        start.wait()
        let_through.append(breaker.allows())

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_through) == [False] * 7 + [True]


FORKED = """
import os
from catalog.circuit_breaker import CircuitBreaker
breaker = CircuitBreaker(1, 15.0)
with breaker._lock:
    child = os.fork()
    if child == 0:
        breaker.failed()
        os._exit(7 if not breaker.allows() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_forked_process_goes_on_though_another_thread_held_the_lock():
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=30)
