"""Applications with limits, on a Redis of their own that a test may kill, stop and fill."""

import signal
from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask

from catalog.app import create_app
from catalog.extensions import db
from catalog.stack.places import Places
from catalog.stack.redis import CACHE, Redis


@pytest.fixture(scope="package")
def server(tmp_path_factory) -> Iterator[Redis]:
    places = Places(tmp_path_factory.mktemp("limits"))
    places.create()
    server = Redis(places, "redis-cache", CACHE)
    server.start()
    yield server
    server.send(signal.SIGCONT)
    server.stop()


@pytest.fixture
def direct(server) -> Iterator[redis.Redis]:
    """redis-py's view of the counters."""
    server.send(signal.SIGCONT)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", "128mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.flushall()
        yield client


@pytest.fixture
def make_app(app, server, direct, committed) -> Iterator[Callable[..., Flask]]:
    """Return applications like that of the tests, with other settings."""
    made = []

    def make(**settings: object) -> Flask:
        given = {
            "CACHE_REDIS_URL": server.url,
            "SQLALCHEMY_DATABASE_URI": app.config["DATABASE_URL"],
            "PUBLISHED_ON_LOOPBACK": True,  # so that no address needs a key
        }
        made.append(create_app({**app.config, **given, **settings, "TESTING": True}))
        return made[-1]

    yield make
    for one in made:
        with one.app_context():
            db.session.remove()
            db.engine.dispose()
