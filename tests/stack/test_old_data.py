"""Data folders of earlier versions, opened by the embedded servers of this one: see `old_data/README.md`."""

import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from catalog.stack import Embedded, leftovers
from catalog.stack.places import Places

pytestmark = pytest.mark.processes
OLD_DATA = Path(__file__).parent / "old_data"
ON_LINUX_X86 = (sys.platform, platform.machine()) == ("linux", "x86_64")
written_on_linux_x86 = pytest.mark.skipif(not ON_LINUX_X86, reason="a PostgreSQL cluster opens where it was made")

CHECK_BTREES = """SELECT count(bt_index_check(index.oid::regclass, heapallindexed => index.relpersistence = 'p')::text)
    FROM pg_class index JOIN pg_am ON pg_am.oid = index.relam
    WHERE index.relkind = 'i' AND pg_am.amname = 'btree'"""


def extract(name: str, data: Path) -> None:
    """Put an archive into a data folder, with the owner that `Places` runs PostgreSQL as."""
    data.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tarfile.open(OLD_DATA / name) as archive:
        archive.extraction_filter = lambda member, _: member  # our own archive: keeps 0700, which PostgreSQL demands
        archive.extractall(data)
    account = Places(data).account
    if account is not None and (data / "postgres").exists():
        for path in (data / "postgres", *(data / "postgres").rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)


@pytest.fixture
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old-data")
    for parent in (folder, *list(folder.parents)[: 3 if "PYTEST_XDIST_WORKER" in os.environ else 2]):
        parent.chmod(0o755)  # PostgreSQL's own account must get through where root runs the tests
    embedded = Embedded(folder / "data", {"fsync": "off", "shared_buffers": "16MB"})
    yield embedded
    embedded.wipe()


@written_on_linux_x86
def test_postgresql_18_4_data_is_opened_with_all_indexes_intact(servers):
    extract("postgresql-18.4-redis-6.2.14.tar.xz", servers.places.data)
    servers.start()
    engine = create_engine(servers.database_url)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM products WHERE sku LIKE 'OLD-%'")) == 200
        connection.execute(text("SET enable_seqscan = off"))
        found = "SELECT sku FROM products WHERE search @@ plainto_tsquery('simple', 'lamp 117')"
        assert connection.scalars(text(found)).all() == ["OLD-117"]
        connection.execute(text("CREATE EXTENSION amcheck"))
        assert connection.scalar(text(CHECK_BTREES)) > 100
        connection.execute(text("SELECT gin_index_check('ix_products_search')"))
    engine.dispose()


def test_queue_of_redis_6_2_is_read_once_and_survives_a_kill(servers):
    extract("postgresql-18.4-redis-6.2.14.tar.xz", servers.places.data)
    aof = servers.queue.folder / "appendonly.aof"
    assert aof.exists()
    for _ in range(2):
        servers.places.create()
        servers.queue.start()
        with redis.Redis.from_url(servers.redis_url) as queue:
            jobs = queue.keys("rq:job:*")
            assert len([job for job in jobs if b"test" in (queue.hget(job, "description") or b"")]) == 2
            assert queue.llen("rq:queue:default") + queue.llen("rq:queue:default:intermediate") == 2
        servers.queue.kill()
        assert not aof.exists()  # moved into appendonlydir, where a Redis 6.2 does not look


def test_queue_of_a_redis_8_that_was_on_path_is_read(servers):
    extract("redis-8.2.3.tar.xz", servers.places.data)
    servers.places.create()
    servers.queue.start()
    with redis.Redis.from_url(servers.redis_url) as queue:
        types = {key.decode(): queue.type(key).decode() for key in queue.scan_iter()}
        strings = {"a": "string", "b": "string"}
        assert types == {**strings, "h": "hash", "l": "list", "s": "set", "st": "stream", "z": "zset"}
        assert queue.hgetall("h") == {b"x": b"1", b"y": b"2"}
        assert queue.get("b") == b"2"


def test_redis_server_of_the_version_before_is_ended_as_a_leftover(tmp_path):
    places = Places(tmp_path / "data")
    waiting = "import sys; print(flush=True); sys.stdin.read()"
    command = ["redis-server", "-c", waiting, str(places.data / "redis-queue")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, executable=sys.executable, **pipes) as orphan:
        orphan.stdout.readline()
        assert [process.pid for process in leftovers.find(places)] == [orphan.pid]
        assert leftovers.end(places) == 1


@written_on_linux_x86
def test_start_serves_the_products_of_the_version_before(copy):
    extract("postgresql-18.4-redis-6.2.14.tar.xz", copy.places.data)
    copy.folder.chmod(0o755)  # where root runs the tests, PostgreSQL's own account must get through
    copy.start()
    assert copy.products == 205
    assert copy.get("/api/v1/products/by-sku/OLD-117") == 200
