"""Who has written lately, as the cache's Redis knows it, and what is made of a Redis that does not."""

from collections.abc import Iterator

import pytest

from catalog.cache.client import Client
from catalog.replica.lag import Lag
from catalog.replica.marks import COMMIT_SECONDS, SLACK, Marks
from catalog.stack.places import Places
from catalog.stack.redis import CACHE, Redis
from tests import servers
from tests.processes import wait_for

SECONDS = 0.1
LASTS = SECONDS * SLACK + COMMIT_SECONDS


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Redis]:
    if servers.GIVEN:
        pytest.skip("kills a Redis of its own, and here is none but those that are given")
    places = Places(tmp_path_factory.mktemp("marks"))
    places.create()
    server = Redis(places, "redis-cache", CACHE)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def marks(server) -> Marks:
    server.start()
    made = Marks(Client(server.url), "test", SECONDS)
    wait_for(lambda: not made.wrote("nobody"), 10)
    return made


def test_a_caller_has_written_for_as_long_as_a_replica_may_be_behind_and_nobody_else_has(marks):
    marks.set("key:1")
    assert marks.wrote("key:1")
    assert not marks.wrote("key:2")
    wait_for(lambda: not marks.wrote("key:1"), LASTS + 1)


def test_every_process_knows_it(marks, server):
    marks.set("key:1")
    assert Marks(Client(server.url), "test", SECONDS).wrote("key:1")


def test_a_redis_that_was_restarted_knows_of_nobody_so_everybody_may_have_written(marks, server):
    server.kill()
    server.start()
    wait_for(lambda: Client(server.url).link(), 5)
    assert Marks(Client(server.url), "test", SECONDS).wrote("key:2")
    wait_for(lambda: not marks.wrote("key:2"), LASTS + 2)


def test_without_redis_everybody_may_have_written(marks, server, caplog):
    server.kill()
    assert marks.wrote("key:2")
    marks.set("key:1")
    assert "It is not noted that key:1 has written" in caplog.text


def test_the_lag_is_the_age_of_the_newest_moment_that_the_replica_has_reached(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    lag = Lag()
    assert lag.seconds() is None
    lag.note(96.0, 10)
    lag.note(97.0, 20)
    lag.note(99.0, 30)
    assert lag.seconds() is None
    lag.reached(29)
    assert lag.seconds() == 3.0
    lag.reached(30)
    assert lag.seconds() == 1.0
    lag.reached(5)
    assert lag.seconds() == 1.0
    lag.forget()
    assert lag.seconds() is None
