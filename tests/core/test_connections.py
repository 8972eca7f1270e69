"""Pooled connections: those that PostgreSQL ended are replaced before they are used, and the others cost nothing."""

import select

import pytest
from sqlalchemy import Engine, create_engine, text

from catalog.database import renew_broken_connections
from tests.processes import wait_for

BACKEND = text("SELECT pg_backend_pid()")


@pytest.fixture
def engine(environment):
    engine = create_engine(environment["DATABASE_URL"], pool_size=1, max_overflow=0)
    renew_broken_connections(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def pings(engine, monkeypatch) -> list[int]:
    """What was asked whether it is alive: the file descriptor, once for each time."""
    asked, ping = [], engine.dialect.do_ping
    monkeypatch.setattr(engine.dialect, "do_ping", lambda one: asked.append(one.fileno()) or ping(one))
    return asked


def backend(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(BACKEND)


def test_a_sound_connection_is_used_again_without_being_asked(engine, pings):
    assert backend(engine) == backend(engine)
    assert pings == []


def test_a_connection_that_postgresql_ended_is_replaced_and_the_statement_does_not_fail(engine, app):
    ended = backend(engine)
    with app.app_context():
        end(ended)
    assert backend(engine) != ended


def test_a_connection_with_news_that_lives_is_asked_and_kept(engine, pings):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listening:
        listening.execute(text("LISTEN news"))
        pid, descriptor = listening.scalar(BACKEND), listening.connection.fileno()
    other = create_engine(engine.url)
    with other.begin() as telling:
        telling.execute(text("NOTIFY news"))
    other.dispose()
    wait_for(lambda: select.select([descriptor], [], [], 0)[0])
    assert backend(engine) == pid
    assert pings == [descriptor]


def end(pid: int) -> None:
    """End a backend, and wait until it is gone."""
    from catalog.extensions import db

    with db.engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
