"""A primary with a streaming replica, and the application on both."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from catalog import replica
from catalog.app import create_app
from catalog.config import ROOT
from catalog.extensions import db
from catalog.stack.places import Places
from catalog.stack.postgres import Postgres
from tests import servers
from tests.conftest import empty_tables
from tests.processes import wait_for
from tests.replica.standby import Standby

LONGEST_LAG = 2.5
AMPLE_LAG = 60.0  # for tests of what the replica is asked, however long a busy machine takes over them


@pytest.fixture(scope="package")
def primary(tmp_path_factory) -> Iterator[Postgres]:
    if servers.GIVEN:
        pytest.skip("stops, pauses and kills a PostgreSQL of its own, and here is none but the one that is given")
    places = Places(_open(tmp_path_factory.mktemp("primary")))
    places.create()
    primary = Postgres(places, servers.FAST)
    primary.start()
    yield primary
    primary.stop(mode="immediate")
    places.wipe()


@pytest.fixture(scope="package")
def migrated(primary, environment) -> dict[str, str]:
    """The settings of an application on the primary, whose tables are there."""
    settings = {**environment, "DATABASE_URL": primary.url}
    app = _made(settings)
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        db.engine.dispose()
    return settings


@pytest.fixture(scope="package")
def following(tmp_path_factory, primary, migrated) -> Iterator[Standby]:
    standby = Standby(_open(tmp_path_factory.mktemp("standby")), primary)
    standby.start()
    yield standby
    standby.wipe()


@pytest.fixture(scope="package")
def following_app(migrated, following) -> Iterator[Flask]:
    app = _made({**migrated, "DATABASE_REPLICA_URL": following.url})
    yield app
    replica.of(app).watch.stop()
    replica.of(app).engine.dispose()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def standby(following) -> Iterator[Standby]:
    """The replica, which runs and follows before and after a test, whatever that does to it."""
    yield following
    following.send(signal.SIGCONT)
    following.start()
    following.resume()


@pytest.fixture
def replicated(following_app, standby, monkeypatch) -> Iterator[Flask]:
    """The application, which knows by now that its replica can be read; what the last test left has arrived there."""
    found, begun = replica.of(following_app), time.monotonic()
    wait_for(lambda: (state := found.watch.state()).usable and state.lag < time.monotonic() - begun, 20)
    wait_for(lambda: not found.marks.wrote("nobody"), 20)
    monkeypatch.setattr(found.watch, "_longest_lag", AMPLE_LAG)
    found.engine.dispose()  # connections that the last test may have cut
    yield following_app
    empty_tables(following_app)


@pytest.fixture
def reader(replicated) -> FlaskClient:
    """Someone who only reads."""
    return _client(replicated)


@pytest.fixture
def writer(replicated) -> FlaskClient:
    """Someone else."""
    return _client(replicated)


def forget_marks(app: Flask) -> None:
    """Let nobody have written lately."""
    with redis.Redis.from_url(app.config["CACHE_REDIS_URL"]) as direct:
        for key in direct.scan_iter("catalog:wrote:*"):
            direct.delete(key)


def _client(app: Flask) -> FlaskClient:
    """A client with an address of its own, which is what callers are told apart by where no key is sent."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])
    return client


def _made(settings: dict[str, str]) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        app = create_app({"TESTING": True, "DATABASE_REPLICA_MAX_LAG_SECONDS": LONGEST_LAG})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def _open(folder: Path) -> Path:
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    return folder
