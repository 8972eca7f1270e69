"""An application with a cache Redis of its own, which a test may kill, stop, wipe and fill."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import redis
from flask import Flask

from catalog import cache
from catalog.cache import client
from catalog.extensions import db
from catalog.products import service
from catalog.stack.redis import Redis
from tests import cacheserver
from tests.apps import Applications


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Redis]:
    with cacheserver.started(tmp_path_factory.mktemp("cache")) as server:
        yield server


@pytest.fixture
def direct(server) -> Iterator[redis.Redis]:
    """redis-py's view of what lies in the cache."""
    with cacheserver.as_new(server) as client:
        yield client


@pytest.fixture(scope="module")
def applications() -> Iterator[Applications]:
    applications = Applications()
    yield applications
    applications.close()


@pytest.fixture
def cached_app(applications, server, direct, committed) -> Iterator[Flask]:
    """The application on this Redis, in its context; changes are really committed."""
    settings = {"CACHE_REDIS_URL": server.url, "SQLALCHEMY_DATABASE_URI": committed.config["DATABASE_URL"]}
    app = applications.get({**committed.config, **settings, "TESTING": True})
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture
def patient(monkeypatch) -> None:
    """Give a Redis that is there all the time that a busy machine may take; only an outage's tests need the short."""
    for name in ("CONNECT_SECONDS", "REPLY_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(client, name, 20.0)


@pytest.fixture
def product(cached_app) -> UUID:
    """The id of a product with one in stock."""
    return service.create({"name": "Lamp", "stock_quantity": 1}).id


@pytest.fixture
def writer(cached_app) -> cache.Writer:
    return cache.current().writer
