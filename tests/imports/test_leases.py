"""One worker at a time runs an import, what others see of it meanwhile, and what becomes of one that nobody runs."""

import threading
import uuid

import pytest
from sqlalchemy import text

from catalog import jobqueue
from catalog.extensions import db
from catalog.imports import lease, loading, progress, service, storage
from tests.imports.conftest import counts, let_the_lease_expire
from tests.imports.test_kills import CHUNK, SECOND
from tests.processes import wait_for


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
