"""The embedded servers by themselves."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import psycopg2
import pytest
import redis
from sqlalchemy import create_engine, text

from catalog.stack import Embedded, StackError, places, programs

pytestmark = pytest.mark.processes

QUICK = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def folder():
    """A folder that everyone may enter, as /tmp is."""
    path = Path(tempfile.mkdtemp(prefix="catalog-embedded-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def servers(folder):
    embedded = Embedded(folder / "data", QUICK)
    yield embedded
    embedded.wipe()


def query(embedded, statement):
    engine = create_engine(embedded.database_url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = result.all() if result.returns_rows else []
    engine.dispose()
    return rows


def test_each_server_keeps_what_it_promises_when_it_is_killed(servers):
    servers.start()
    query(servers, "CREATE TABLE kept AS SELECT 1 AS one")
    with redis.Redis.from_url(servers.redis_url) as queue, redis.Redis.from_url(servers.cache_redis_url) as cache:
        queue.set("job", "1")
        assert queue.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert queue.config_get("appendonly") == {"appendonly": "yes"}
        assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert cache.config_get("save") == {"save": ""}

    servers.queue.stop()
    servers.postgres.stop(mode="immediate")
    servers.queue.start()
    servers.postgres.start()
    assert query(servers, "SELECT one FROM kept") == [(1,)]
    with redis.Redis.from_url(servers.redis_url) as queue:
        assert queue.get("job") == b"1"

    servers.postgres.kill()
    servers.cache.kill()
    servers.start()
    assert query(servers, "SELECT one FROM kept") == [(1,)]


def test_a_lock_file_with_the_pid_of_another_program_does_not_hinder_the_start(servers):
    servers.start()
    servers.postgres.kill()
    lock = servers.postgres.folder / "postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split("\n")[0], str(os.getppid()), 1))

    servers.postgres.start()

    assert query(servers, "SELECT 1") == [(1,)]


def test_sockets_whose_path_would_be_too_long_are_put_into_a_private_folder(folder):
    embedded = Embedded(folder / ("deep" * 30) / "data", QUICK)
    try:
        embedded.start()
        assert query(embedded, "SELECT 1") == [(1,)]
        assert len(str(embedded.queue.socket)) < 100
        assert stat.S_IMODE(embedded.queue.socket.parent.stat().st_mode) == 0o700
    finally:
        embedded.wipe()
    assert not embedded.queue.socket.parent.exists()


def test_a_socket_folder_that_another_user_could_enter_is_refused(folder):
    trap = Path(tempfile.gettempdir()) / f"catalog-{os.geteuid()}-{places.Places(folder / ('x' * 120)).key}"
    trap.mkdir(mode=0o755)
    try:
        with pytest.raises(StackError, match="not a folder of yours alone"):
            Embedded(folder / ("x" * 120))
    finally:
        trap.rmdir()


def test_a_server_that_cannot_start_says_why(servers):
    servers.postgres.settings["shared_buffers"] = "a lot"

    with pytest.raises(StackError, match="shared_buffers"):
        servers.start()

    assert not servers.queue.is_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_root_runs_postgres_unprivileged_without_opening_its_home(folder, monkeypatch):
    home = folder / "home"
    home.mkdir(mode=0o700)
    redis = programs.redis_server()
    monkeypatch.setattr(programs, "redis_server", lambda: redis)
    wheel = programs.postgres_server().parents[3]
    for part in (programs.POSTGRES, f"{programs.POSTGRES}.libs"):
        shutil.copytree(wheel / part, home / "venv" / "embedded" / part, ignore=programs.UNUSED)
    monkeypatch.setattr(programs.sys, "prefix", str(home / "venv"))
    embedded = Embedded(home / "project" / "data", QUICK)
    try:
        embedded.start()
        assert query(embedded, "SELECT 1") == [(1,)]
        assert embedded.postgres.folder.is_relative_to(embedded.places.apart)
        assert embedded.postgres.folder.stat().st_uid != 0
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        apart = embedded.places.apart
        for ours in (apart, apart / "run", *apart.glob("postgresql-*"), embedded.postgres.programs / "postgres"):
            assert (ours.stat().st_uid, stat.S_IMODE(ours.stat().st_mode) & 0o022) == (0, 0), ours
        assert stat.S_IMODE(apart.stat().st_mode) == 0o711
        assert stat.S_IMODE(embedded.postgres.folder.stat().st_mode) == 0o700
    finally:
        embedded.wipe()
    assert not embedded.places.apart.exists()


def test_the_embedded_servers_run_whatever_servers_are_on_path(folder, monkeypatch):
    embedded = programs.redis_server(), programs.postgres_server(), programs.postgres_tool("pg_dump")
    for name in ("redis-server", "valkey-server", "postgres", "pg_dump"):
        (folder / name).write_text("#!/bin/sh\necho Redis server v=8.2.1 sha=0\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    assert (programs.redis_server(), programs.postgres_server(), programs.postgres_tool("pg_dump")) == embedded
    assert {program.name for program in embedded} == {"valkey-server", "postgres", "pg_dump"}


def test_nobody_connects_over_tcp(servers):
    servers.start()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", port=5432, user="postgres", dbname="catalog", connect_timeout=2)
    assert query(servers, "SHOW listen_addresses") == [("",)]


def test_extensions_for_search_can_be_created(servers):
    servers.start()
    for name in ("pg_trgm", "unaccent", "btree_gin"):
        query(servers, f"CREATE EXTENSION {name}")
    assert query(servers, "SELECT unaccent('Größe'), similarity('lamp', 'lamps') > 0.5") == [("Grosse", True)]
