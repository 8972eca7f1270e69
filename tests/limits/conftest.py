"""Applications with limits, on a Redis of their own that a test may kill, stop and fill."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask import Flask

from catalog.app import create_app
from catalog.stack.redis import Redis
from tests import cacheserver
from tests.apps import Applications, close


@pytest.fixture(scope="package")
def server(tmp_path_factory) -> Iterator[Redis]:
    with cacheserver.started(tmp_path_factory.mktemp("limits")) as server:
        yield server


@pytest.fixture
def direct(server) -> Iterator[redis.Redis]:
    """redis-py's view of the counters."""
    with cacheserver.as_new(server) as client:
        yield client


@pytest.fixture(scope="package")
def applications() -> Iterator[Applications]:
    """Those that the tests have asked for."""
    applications = Applications()
    yield applications
    applications.close()


@pytest.fixture
def settings_of(app, server) -> Callable[..., dict[str, Any]]:
    """Return the settings of an application like that of the tests, on the counters' Redis, with others of its own."""
    given = {
        "CACHE_REDIS_URL": server.url,
        "SQLALCHEMY_DATABASE_URI": app.config["DATABASE_URL"],
        "PUBLISHED_ON_LOOPBACK": True,  # so that no address needs a key
        "TESTING": True,
    }
    return lambda **others: {**app.config, **given, **others}


@pytest.fixture
def make_app(applications, settings_of, direct, committed) -> Callable[..., Flask]:
    """Return a function that gives the application with these settings, as new."""
    return lambda **settings: applications.get(settings_of(**settings))


@pytest.fixture
def make_own_app(settings_of, direct, committed) -> Iterator[Callable[..., Flask]]:
    """The same for a test that registers something, or wants two of a kind."""
    made = []

    def make(**settings: object) -> Flask:
        made.append(create_app(settings_of(**settings)))
        return made[-1]

    yield make
    for each in made:
        close(each)
