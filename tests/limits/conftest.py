"""Applications with limits, on a Redis of their own that a test may kill, stop and fill."""

from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask

from catalog.app import create_app
from catalog.extensions import db
from catalog.stack.redis import Redis
from tests import cacheserver


@pytest.fixture(scope="package")
def server(tmp_path_factory) -> Iterator[Redis]:
    with cacheserver.started(tmp_path_factory.mktemp("limits")) as server:
        yield server


@pytest.fixture
def direct(server) -> Iterator[redis.Redis]:
    """redis-py's view of the counters."""
    with cacheserver.as_new(server) as client:
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
