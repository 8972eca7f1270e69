"""Real PostgreSQL and Redis for every test: started once a run, one database a process, a savepoint a test."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url

from catalog.app import create_app
from catalog.extensions import db
from tests import profiles, servers, shown
from tests.emptying import empty_tables
from tests.scheduling import FolderScheduling

_servers: servers.Servers | None = None
profiles.register()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the process that the user started; the others inherit their addresses."""
    global _servers
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    folder = servers.make_folder()
    _servers = servers.start(folder)
    os.environ.update(
        DATABASE_URL=_servers.database_url,
        REDIS_URL=_servers.redis_url,
        CACHE_REDIS_URL=_servers.cache_redis_url,
        DATA_DIR=folder,
        CATALOG_ENV_FILE=os.devnull,
    )
    try:
        _migrate()
    except BaseException:
        pytest_unconfigure()
        raise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that start processes first: they are the long ones, and none should be left over at the end."""
    first = {item.path for item in items if item.get_closest_marker("processes")}
    items.sort(key=lambda item: item.path not in first)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling | None:
    """Keep a file's tests in one test process, and a folder's where they share servers."""
    return FolderScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates in reports, e.g. of logged values, which would end the test process that sends them."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return type(value)(map(_encodable, value)) if isinstance(value, list | tuple) else value


def _migrate() -> None:
    app = create_app()
    with app.app_context():
        upgrade(directory=str(Path(app.root_path).parent / "migrations"))
        db.engine.dispose()


def pytest_unconfigure() -> None:
    """Stop the servers and remove what they wrote."""
    if _servers is not None:
        _servers.wipe()
        servers.remove_folder(os.environ["DATA_DIR"])


@pytest.fixture(scope="session")
def database_url(worker_id: str) -> Iterator[str]:
    """The URL of a migrated database that only this test process uses."""
    template = make_url(os.environ["DATABASE_URL"])
    name = f"test_{worker_id}"
    admin = create_engine(template.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template.database}"))
    yield template.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def environment(database_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of this test process, also for the processes that a test starts."""
    number = int("".join(filter(str.isdigit, worker_id)) or 0) + 1
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": servers.numbered(os.environ["REDIS_URL"], number),
        "CACHE_REDIS_URL": servers.numbered(os.environ["CACHE_REDIS_URL"], number),
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "SEED_ON_START": "false",
    }


@pytest.fixture(scope="session")
def app(environment: dict[str, str]) -> Iterator[Flask]:
    """The application, on the database and the Redis numbers of this test process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        app = create_app({"TESTING": True})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.test_client_class = shown.Client if shown.WANTED else FlaskClient
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def empty_database(database_url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database without any table, in an application context on it."""
    url = make_url(database_url)
    name = f"{url.database}_migrations"
    admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("DATABASE_URL", url.set(database=name).render_as_string(hide_password=False))
    app = create_app()
    with app.app_context():
        yield
        db.engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def _free_stream_slots(app: Flask) -> None:
    """Take back the slots of streamed responses that an earlier test has not closed."""
    app.extensions["catalog-streams"]._held.clear()


@pytest.fixture
def savepoint(app: Flask) -> Iterator[Connection]:
    """One connection for the whole test, rolled back at its end, whatever the code commits."""
    _free_stream_slots(app)
    with app.app_context():
        engines = db.engines
        engine = engines[None]
    with engine.connect() as connection:
        outer = connection.begin()
        engines[None] = connection
        db.session.session_factory.configure(join_transaction_mode="create_savepoint")
        try:
            yield connection
        finally:
            with app.app_context():
                db.session.remove()
            engines[None] = engine
            outer.rollback()


@pytest.fixture
def client(app: Flask, savepoint: Connection) -> FlaskClient:
    """A client of the application, whose changes vanish with the test."""
    return app.test_client()


@pytest.fixture
def context(app: Flask, savepoint: Connection) -> Iterator[Flask]:
    """An application context for calling services; the changes vanish with the test."""
    with app.app_context():
        yield app


@pytest.fixture
def committed(app: Flask) -> Iterator[Flask]:
    """For tests whose changes other connections must see: really commits, and empties every table afterwards."""
    _free_stream_slots(app)
    yield app
    empty_tables(app)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """With `test-debug`, print the last lines that the server logged during a test."""
    if report.when == "call":
        shown.print_log(report)
