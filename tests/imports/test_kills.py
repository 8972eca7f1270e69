"""Imports whose worker is killed, and imports that run at the same time."""

import os
import signal
import subprocess
import sys
import threading
import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from catalog import jobqueue
from catalog.config import ROOT
from catalog.extensions import db
from catalog.imports import lease, loading, progress, service, storage
from tests.imports.conftest import counts
from tests.processes import wait_for

ROWS = 40
CHUNK = 10  # so there are four chunks, and as many parts for COPY
# Half the rows are there already, some change; two are refused, and two are superseded.
FIRST = "sku,name,price\n" + "".join(f"K{number:02},Name {number},1\n" for number in range(0, ROWS, 2))
SECOND = (
    "sku,name,price\nk03,Early,1\nbad,,1\n"
    + "".join(f"k{number:02},Name {number % 3 or number},1\n" for number in range(ROWS))
    + "K05,Late,2\nworse,x,NaN\n"
)
EXPECTED = {"created": 20, "updated": 12, "unchanged": 8, "superseded": 2, "errors": 2}
POINTS = [
    ("survey.scan", 2),
    ("feed.Feed.read", 1),
    ("feed.Feed.read", 3),
    ("staging._sort", 1),
    ("staging._record", 1),
    ("statements.Plan.statements", 1),
    *(("loading.Loader._apply_once", number) for number in range(1, 5)),
    *(("loading.Loader._prove", number) for number in range(1, 5)),
    ("running.finish", 1),
    ("progress.Board.show_end", 1),
]


@pytest.fixture
def run_killed(environment, app):
    """Run an import in a process of its own that kills itself, and wait for its end."""

    def run_killed(import_id: uuid.UUID, where: str, nth: int) -> int:
        command = [sys.executable, "-m", "tests.imports.killed", str(import_id), where, str(nth), str(CHUNK)]
        settings = {**environment, "IMPORT_LOADERS": "1", "LOG_LEVEL": "ERROR"}
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, timeout=60, check=False).returncode

    return run_killed


def let_the_lease_expire(import_id: uuid.UUID) -> None:
    """What fifteen seconds without a heartbeat do."""
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE imports SET lease_until = now() - interval '1 s' WHERE id = :id AND lease_until IS NOT NULL"),
            {"id": import_id},
        )


def ended(importer, import_id: uuid.UUID) -> tuple:
    """Return all that must be the same whether the worker was killed or not."""
    result = importer.result(import_id)
    products = [{name: value for name, value in row.items() if name != "number"} for row in importer.products()]
    lines = [(row["row"], row["code"], row["data"]) for row in result["error_details"]]
    return counts(result), lines, result["superseded_details"], products


@pytest.fixture
def uninterrupted(importer, monkeypatch) -> tuple:
    monkeypatch.setattr(loading, "CHUNK_ROWS", CHUNK)
    importer.run(FIRST)
    import_id = importer.submit(SECOND)
    service.run(import_id)
    whole = ended(importer, import_id)
    assert whole[0] == EXPECTED
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM products"))
    return whole


@pytest.mark.parametrize(("where", "nth"), POINTS, ids=[f"{where}-{nth}" for where, nth in POINTS])
def test_an_import_killed_anywhere_ends_as_if_it_were_not(importer, uninterrupted, run_killed, where, nth):
    importer.run(FIRST)
    import_id = importer.submit(SECOND)
    assert run_killed(import_id, where, nth) == -signal.SIGKILL
    seen = importer.record(import_id).percent
    let_the_lease_expire(import_id)
    service.run(import_id)
    assert ended(importer, import_id) == uninterrupted
    assert importer.record(import_id).percent == 100 >= seen


def test_an_import_killed_after_every_chunk_ends_as_if_it_were_not(importer, uninterrupted, run_killed):
    importer.run(FIRST)
    import_id = importer.submit(SECOND)
    percents = []
    for _ in range(3):
        assert run_killed(import_id, "loading.Loader._apply_once", 2) == -signal.SIGKILL
        percents.append(importer.record(import_id).percent)
        let_the_lease_expire(import_id)
    assert run_killed(import_id, "nowhere", 1) == 0
    assert ended(importer, import_id) == uninterrupted
    assert percents == sorted(set(percents))


def test_staged_rows_that_a_crash_of_postgresql_emptied_are_staged_again(importer, uninterrupted, run_killed):
    importer.run(FIRST)
    import_id = importer.submit(SECOND)
    assert run_killed(import_id, "loading.Loader._apply_once", 3) == -signal.SIGKILL
    with db.engine.begin() as connection:  # what recovery does to an unlogged table
        connection.execute(text(f"TRUNCATE import_{import_id.hex}"))
    let_the_lease_expire(import_id)
    service.run(import_id)
    assert ended(importer, import_id) == uninterrupted


CUT_ALL_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


def test_an_import_whose_connections_are_cut_is_resumed_later(importer, app, uninterrupted, monkeypatch):
    """What a restart of PostgreSQL does: the job ends with an error, and the next one goes on."""
    monkeypatch.setitem(app.config, "IMPORT_LOADERS", 1)
    importer.run(FIRST)
    import_id = importer.submit(SECOND)

    real = loading.Loader._apply_chunk

    def cut_at_the_third(loader, connection, number):
        if number == 3:
            with loader.lease.engine.connect() as other:
                other.execute(text(CUT_ALL_OTHERS))
        return real(loader, connection, number)

    with monkeypatch.context() as patch:
        patch.setattr(loading.Loader, "_apply_chunk", cut_at_the_third)
        with pytest.raises(OperationalError):
            service.run(import_id)
    assert importer.record(import_id).state == "running"
    assert importer.record(import_id).processed_rows == 20 + 4
    let_the_lease_expire(import_id)
    service.run(import_id)
    assert ended(importer, import_id) == uninterrupted


def test_two_workers_never_run_one_import(importer, app, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_ROWS", CHUNK)
    import_id = importer.submit(SECOND)
    in_threads(app, [import_id] * 4)
    assert counts(importer.result(import_id)) == {"created": 40, "superseded": 2, "errors": 2}
    assert all(row["version"] == 1 for row in importer.products())


def test_a_worker_that_lost_its_lease_applies_nothing(importer, monkeypatch):
    import_id = importer.submit("sku,name\nA,One\n")
    held = lease.acquire(db.engine, import_id, service._board())
    let_the_lease_expire(import_id)
    assert lease.acquire(db.engine, import_id, service._board()) is not None
    monkeypatch.setattr(lease, "BEAT_SECONDS", 60)
    service.running.run(held, {"UPLOAD_MAX_MB": 1, "IMPORT_LOADERS": 1})
    assert importer.products() == []
    assert importer.record(import_id).state == "running"


def test_a_worker_that_loses_its_lease_on_the_way_applies_no_further_chunk(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "IMPORT_LOADERS", 1)
    monkeypatch.setattr(lease, "BEAT_SECONDS", 60)  # so that only its next commit can tell it
    import_id = importer.submit("sku,name\n" + "".join(f"K{number:02},Name\n" for number in range(35)))

    def steal(loader):
        with loader.lease.engine.begin() as connection:
            connection.execute(
                text("UPDATE imports SET lease_token = gen_random_uuid() WHERE id = :id"), {"id": import_id}
            )

    before_chunk(monkeypatch, 2, steal)
    service.run(import_id)
    assert len(importer.products()) == importer.record(import_id).created == CHUNK
    assert importer.record(import_id).state == "running"


def in_threads(app, import_ids: list[uuid.UUID]) -> None:
    def run(import_id: uuid.UUID) -> None:
        with app.app_context():
            service.run(import_id)

    threads = [threading.Thread(target=run, args=(import_id,)) for import_id in import_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def deadlocks() -> int:
    with db.engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        return connection.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")) or 0


def test_eight_imports_of_the_same_20000_rows_at_once_never_deadlock(importer, environment):
    """Each in a process of its own, each with the rows in another order and with other names."""
    size = 20_000
    before, import_ids = deadlocks(), []
    for number in range(8):
        order = sorted(range(size), key=lambda row: row * (2 * number + 1) * 7919 % 20_011)
        import_ids.append(importer.submit("sku,name\n" + "".join(f"S{row},N{number}\n" for row in order)))
    command = [sys.executable, "-m", "tests.imports.killed"]
    workers = [
        subprocess.Popen(
            [*command, str(import_id), "nowhere", "1", "2000"],
            cwd=ROOT,
            env={**os.environ, **environment, "LOG_LEVEL": "ERROR"},
        )
        for import_id in import_ids
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0] * 8
    results = [importer.result(import_id) for import_id in import_ids]
    assert [result["processed_rows"] for result in results] == [size] * 8
    assert sum(result["created"] for result in results) == size
    assert len(importer.products()) == size
    assert deadlocks() == before


def before_chunk(monkeypatch, number, do):
    """Let a loader do something before it applies the chunk with this number."""
    real = loading.Loader._apply_once

    def apply_once(loader, batch, **kwargs):
        if batch[0] == number:
            do(loader)
        real(loader, batch, **kwargs)

    monkeypatch.setattr(loading, "CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(loading.Loader, "_apply_once", apply_once)


def test_a_running_import_is_cancelled_between_chunks_and_says_what_it_did(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "IMPORT_LOADERS", 1)
    import_id = importer.submit("sku,name\n" + "".join(f"K{number:02},Name\n" for number in range(35)))

    def cancel(loader):
        with app.app_context():
            answer = app.test_client().delete(f"/api/v1/imports/{import_id}")
            assert (answer.status_code, answer.json["cancel_requested"]) == (202, True)
        wait_for(lambda: loader.lease._cancelled)

    before_chunk(monkeypatch, 2, cancel)
    service.run(import_id)
    result = importer.result(import_id)
    assert (result["status"], counts(result), result["processed_rows"]) == ("cancelled", {"created": 10}, 10)
    assert len(importer.products()) == 10
    assert importer.client.get(f"/api/v1/products/upload/{import_id}/status").json["state"] == "Cancelled"
    assert importer.client.delete(f"/api/v1/imports/{import_id}").status_code == 409


def test_an_import_that_waits_is_cancelled_at_once_and_never_runs(importer):
    import_id = importer.submit("sku,name\nA,One\n")
    assert importer.client.delete(f"/api/v1/imports/{import_id}").json["state"] == "cancelled"
    service.run(import_id)
    assert importer.products() == []


def test_progress_never_goes_back_nor_over_a_hundred_with_redis_or_without(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "IMPORT_LOADERS", 1)
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.001)
    monkeypatch.setattr(loading, "CHUNK_ROWS", CHUNK)
    import_id = importer.submit("sku,name\n" + "".join(f"K{number},Name\n" for number in range(200)))
    seen = []

    def look():
        with app.app_context():
            client, path = app.test_client(), f"/api/v1/products/import/{import_id}/progress"
            seen.append(client.get(path).json)
            with monkeypatch.context() as patch:  # Redis has forgotten it
                patch.setattr(progress.Board, "read", lambda *_: {})
                seen.append(client.get(path).json)
            seen.append(client.get(path).json)

    real = loading.Loader._apply_once
    monkeypatch.setattr(loading.Loader, "_apply_once", lambda *args, **kwargs: (look(), real(*args, **kwargs))[1])
    look()
    service.run(import_id)
    look()
    for name, end in (("percent", 100), ("current", 200)):
        values = [answer[name] for answer in seen]
        assert values == sorted(values)
        assert (values[0], values[-1]) == (0, end)
        assert len(set(values)) > 5


def test_an_older_progress_is_not_shown_over_a_later_one(app):
    import_id = uuid.uuid4()
    values = {**dict.fromkeys(progress.COLUMNS, 0), "state": "running", "percent": 50, "created": 10}
    with app.app_context():
        board = service._board()
        for percent, created in ((50, 10), (49, 20), (50, 9)):
            board.show(import_id, {**values, "percent": percent, "created": created})
            shown = board.read([import_id])[import_id]
            assert (shown["percent"], shown["created"]) == (50, 10)
        board.show(import_id, {**values, "created": 11})
        assert board.read([import_id])[import_id]["created"] == 11
        board.show_end(import_id)
        board.show(import_id, {**values, "percent": 99})
        assert board.read([import_id]) == {}


def test_progress_is_read_from_the_table_when_redis_is_gone(importer, app, monkeypatch):
    monkeypatch.setitem(app.config, "CACHE_REDIS_URL", "unix:///nowhere/redis.sock")
    import_id = importer.submit("sku,name\nA,One\n")
    service.run(import_id)
    answer = importer.client.get(f"/api/v1/products/upload/{import_id}/status").json
    assert (answer["state"], answer["created"]) == ("Completed", 1)


def test_the_sweeper_rings_for_imports_without_a_worker_and_not_too_often(importer, monkeypatch):
    rung = []
    monkeypatch.setattr(jobqueue, "ring", lambda *args, **_: rung.append(args[1]))
    waiting, running, ended_one = (importer.submit("sku,name\nA,One\n") for _ in range(3))
    service.run(ended_one)
    assert lease.acquire(db.engine, running, service._board()) is not None
    rung.clear()
    service.sweep()
    assert rung == []
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE imports SET rung_at = now() - interval '1 minute'"))
    service.sweep()
    assert rung == [str(waiting)]
    let_the_lease_expire(running)
    service.sweep()
    service.sweep()
    assert rung == [str(waiting), str(running)]


def test_the_sweeper_gives_up_what_gets_no_further_and_drops_its_table(importer, monkeypatch):
    import_id = importer.submit("sku,name\nA,One\n")

    def fail(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(loading.Loader, "apply", fail)
    for _ in range(6):  # the first gets as far as having staged the rows
        service.sweep()
        assert importer.record(import_id).state in ("pending", "running")
        with pytest.raises(RuntimeError):
            service.run(import_id)
        let_the_lease_expire(import_id)
    service.sweep()
    assert importer.record(import_id).state == "failed"
    assert "5 attempts" in importer.result(import_id)["error"]
    assert db.session.scalar(text(f"SELECT to_regclass('import_{import_id.hex}')")) is None


def test_old_imports_and_their_files_are_pruned(importer):
    old, young = (importer.submit("sku,name\nA,One\n") for _ in range(2))
    for import_id in (old, young):
        service.run(import_id)
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE imports SET finished_at = now() - interval '31 days' WHERE id = :id"), {"id": old}
        )
    service.prune()
    assert [storage.path_of(import_id).exists() for import_id in (old, young)] == [False, True]
    assert importer.client.get(f"/api/v1/imports/{old}").status_code == 404
    assert importer.client.get("/api/v1/imports").json["total"] == 1
