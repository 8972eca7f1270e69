"""A Redis for copies and counters of a test's own, which it may kill, stop, wipe and fill."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from catalog.stack.places import Places
from catalog.stack.redis import CACHE, Redis
from tests import servers


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Redis]:
    """Run one in this folder; where the servers are given, there is no program to run, and the test is skipped."""
    if servers.GIVEN:
        pytest.skip("kills, stops and wipes a Redis of its own, and here is none but those that are given")
    places = Places(folder)
    places.create()
    server = Redis(places, "redis-cache", CACHE)
    server.start()
    try:
        yield server
    finally:
        server.send(signal.SIGCONT)
        server.stop()


@contextlib.contextmanager
def as_new(server: Redis) -> Iterator[redis.Redis]:
    """Undo whatever the test before has done to it, and yield redis-py's view of it."""
    server.send(signal.SIGCONT)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", "128mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.flushall()
        yield client
