"""Looking up host names: threads by owner, and names that are known."""

import threading

import pytest

from catalog.webhooks import names
from catalog.webhooks.names import UNKNOWN_THREADS, Names
from tests.processes import wait_for


@pytest.fixture
def lookups():
    """Names whose servers are silent, but for those under `.known`, until the test has ended."""
    ended, asked = threading.Event(), []

    def lookup(name):
        asked.append(name)
        if not name.endswith(".known") or name in silent:
            ended.wait(60)
        return ("8.8.8.8",)

    silent: set[str] = set()
    yield Names(lookup=lookup), asked, silent
    ended.set()


def test_silent_names_of_one_owner_hold_half_of_the_threads(lookups):
    found, asked, _ = lookups
    for number in range(500):
        assert found.addresses(f"s{number}.example.com", "key:greedy") is None
    wait_for(lambda: len(asked) == UNKNOWN_THREADS // 2)
    assert found.wait("honest.known", 10, "key:honest") == ("8.8.8.8",)


def test_silent_names_of_many_owners_leave_threads_for_names_that_had_an_answer(lookups, monkeypatch):
    found, asked, _ = lookups
    monkeypatch.setattr(names, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(names, "STALE_SECONDS", 0.0)  # not even an old answer is used
    assert found.wait("honest.known", 10) == ("8.8.8.8",) or "honest.known" in asked
    for number in range(5_000):
        found.addresses(f"s{number}.example.com", f"key:{number % 50}")
    wait_for(lambda: len(asked) >= UNKNOWN_THREADS - 10)
    before = asked.count("honest.known")
    wait_for(lambda: found.addresses("honest.known", "key:honest") or asked.count("honest.known") > before)


def test_an_old_answer_is_used_while_its_name_is_looked_up_again(lookups, monkeypatch):
    found, asked, silent = lookups
    monkeypatch.setattr(names, "KEPT_SECONDS", 0.05)
    assert found.wait("honest.known", 10) == ("8.8.8.8",)
    silent.add("honest.known")
    wait_for(lambda: found.addresses("honest.known") and asked.count("honest.known") == 2)
    assert found.addresses("honest.known") == ("8.8.8.8",)
    monkeypatch.setattr(names, "STALE_SECONDS", 0.0)
    wait_for(lambda: found.addresses("honest.known") is None)


def test_answers_are_bounded_in_number(monkeypatch):
    monkeypatch.setattr(names, "MOST_ANSWERS", 10)
    monkeypatch.setattr(names, "KEPT_SECONDS", 0.0)
    found = Names(lookup=lambda name: ("8.8.8.8",))
    for number in range(50):
        found.addresses(f"n{number}.example.com", f"key:{number}")
        wait_for(lambda: not found._asked)
    assert len(found._answers) <= 10
