"""Imports whose worker is killed or cut off, and imports that run at the same time."""

import signal
import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from catalog.extensions import db
from catalog.imports import loading, service
from tests.conftest import empty_tables
from tests.imports import killed
from tests.imports.conftest import Importer, counts, let_the_lease_expire
from tests.killing import exit_code, fork

pytestmark = pytest.mark.processes
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


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_ROWS", CHUNK)


@pytest.fixture
def run_killed(environment, app):
    """Run an import in a process of its own that kills itself, and wait for its end."""

    def run_killed(import_id: uuid.UUID, *at: Any) -> int:
        settings = {**environment, "IMPORT_LOADERS": "1", "LOG_LEVEL": "ERROR"}
        return exit_code(fork(settings, killed.run, import_id, CHUNK, *at))

    return run_killed


def ended(importer, import_id: uuid.UUID) -> tuple:
    """Return all that must be the same whether the worker was killed or not."""
    result = importer.result(import_id)
    products = [{name: value for name, value in row.items() if name != "number"} for row in importer.products()]
    lines = [(row["row"], row["code"], row["data"]) for row in result["error_details"]]
    return counts(result), lines, result["superseded_details"], products


@pytest.fixture(scope="module")
def uninterrupted(app) -> tuple:
    """What the import comes to when nobody kills its worker."""
    with pytest.MonkeyPatch.context() as patch, app.app_context():
        patch.setattr(loading, "CHUNK_ROWS", CHUNK)
        importer = Importer(app.test_client())
        importer.run(FIRST)
        import_id = importer.submit(SECOND)
        service.run(import_id)
        whole = ended(importer, import_id)
    empty_tables(app)
    assert whole[0] == EXPECTED
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
    assert run_killed(import_id) == 0
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


def deadlocks() -> int:
    with db.engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        return connection.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")) or 0


def test_eight_imports_of_the_same_5000_rows_at_once_never_deadlock(importer, environment):
    """Each in a process of its own, each with the rows in another order and with other names."""
    size = 5_000
    before, import_ids = deadlocks(), []
    for number in range(8):
        order = sorted(range(size), key=lambda row: row * (2 * number + 1) * 7919 % 5_003)
        import_ids.append(importer.submit("sku,name\n" + "".join(f"S{row},N{number}\n" for row in order)))
    settings = {**environment, "LOG_LEVEL": "ERROR"}
    workers = [fork(settings, killed.run, import_id, size // 10) for import_id in import_ids]
    assert [exit_code(worker, 120) for worker in workers] == [0] * 8
    results = [importer.result(import_id) for import_id in import_ids]
    assert [result["processed_rows"] for result in results] == [size] * 8
    assert sum(result["created"] for result in results) == size
    assert len(importer.products()) == size
    assert deadlocks() == before
