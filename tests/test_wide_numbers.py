"""Migration 0016 widens products.number while old code reads and writes, and may be interrupted anywhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, event, text

from catalog.commands import data
from catalog.extensions import db
from catalog.products.models import MAX_NUMBER
from tests.processes import threads, wait_for
from tests.test_upgrades import run_in_thread

FOLDER = str(Path(__file__).parent.parent / "migrations")
ROWS = 2_500  # more than two batches
GAP = 1_000

# How the code of earlier versions draws numbers: each creates a product, or changes the one with this SKU.
IDENTITY = "INSERT INTO products (sku, name) VALUES (:sku, 'Identity') RETURNING number"
DRAWN = "INSERT INTO products (number, sku, name) VALUES (:number, :sku, 'Drawn') RETURNING number"
NEXT_FREE = """
    WITH RECURSIVE drawn (number) AS (
        SELECT nextval('products_number_seq')
        UNION ALL
        SELECT nextval('products_number_seq') FROM drawn WHERE EXISTS (
            SELECT FROM products p WHERE lower(p.sku) COLLATE "C" = lower('SKU-' || drawn.number) COLLATE "C")
    ) SELECT max(number) FROM drawn"""
NEXT = "SELECT nextval(pg_get_serial_sequence('products', 'number'))"
UPSERT = """
    WITH present AS MATERIALIZED (SELECT * FROM products WHERE lower(sku) COLLATE "C" = lower(:sku) COLLATE "C")
    INSERT INTO products (number, sku, name)
    SELECT coalesce((SELECT number FROM present), nextval('products_number_seq')), :sku, 'Upserted'
    ON CONFLICT (lower(sku) COLLATE "C") DO UPDATE SET name = excluded.name, version = products.version + 1
    RETURNING number"""


def create(engine: Engine, sku: str, draw: str | None = None, insert: str = IDENTITY) -> int:
    """Create a product in one transaction, as a request of old code does, and return its number."""
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('lock_timeout', '5s', true)"))
        number = connection.scalar(text(draw)) if draw else None
        return int(connection.scalar(text(DRAWN if draw else insert), {"sku": sku, "number": number}) or 0)


WAYS: dict[str, Callable[[Engine, str], int]] = {
    "identity": create,
    "next free": lambda engine, sku: create(engine, sku, NEXT_FREE),
    "next": lambda engine, sku: create(engine, sku, NEXT),
    "upsert": lambda engine, sku: create(engine, sku, insert=UPSERT),
}


@pytest.fixture
def others() -> Iterator[Engine]:
    """Connections of other processes."""
    engine = create_engine(db.engine.url, pool_size=10)
    yield engine
    engine.dispose()


@pytest.fixture
def before(empty_database, monkeypatch) -> dict[str, int]:
    """A database of the version before with products, of which some were deleted; returns the numbers by SKU."""
    monkeypatch.setattr(data, "LOCK_PAUSE_SECONDS", 0.05)
    upgrade(directory=FOLDER, revision="0015")
    with db.engine.begin() as connection:
        fill = "INSERT INTO products (sku, name) SELECT 'OLD-' || n, 'Old' FROM generate_series(1, :rows) n"
        connection.execute(text(fill), {"rows": ROWS})
        connection.execute(text("DELETE FROM products WHERE number % 10 = 0"))
    return numbers()


def numbers(like: str = "OLD-%") -> dict[str, int]:
    with db.engine.connect() as connection:
        found = connection.execute(text("SELECT sku, number FROM products WHERE sku LIKE :like"), {"like": like})
        return {sku: number for sku, number in found}  # noqa: C416  # rows


def value(statement: str) -> Any:
    with db.engine.connect() as connection:
        return connection.scalar(text(statement))


def check_migrated(before: dict[str, int]) -> None:
    """Check the numbers, and that nothing of the way is left."""
    after = numbers()
    assert {sku: before[sku] for sku in after} == after
    assert value("SELECT coalesce(max(number), 1) <= (SELECT last_value FROM products_number_seq) FROM products")
    kinds = "SELECT string_agg(concat_ws(' ', attname, atttypid::regtype, attnotnull, attidentity), ',')"
    columns = f"{kinds} FROM pg_attribute WHERE attrelid = 'products'::regclass AND attname LIKE 'number%'"
    assert value(columns) == "number bigint t d"
    assert value("SELECT seqmax FROM pg_sequence WHERE seqrelid = 'products_number_seq'::regclass") == MAX_NUMBER
    assert value("SELECT indisvalid AND indisunique FROM pg_index WHERE indexrelid = 'uq_products_number'::regclass")
    left = "SELECT count(*) FROM {} WHERE {} LIKE '%number_wide%' OR {} LIKE '%narrow%' OR {} LIKE 'widen%'"
    for table, name in (("pg_class", "relname"), ("pg_constraint", "conname"), ("pg_proc", "proname")):
        assert value(left.format(table, name, name, name)) == 0
    assert value("SELECT count(*) FROM pg_trigger WHERE tgname = 'widen_number'") == 0


def test_an_empty_catalog_begins_with_the_first_number(empty_database):
    upgrade(directory=FOLDER)
    check_migrated({})
    assert create(db.engine, "FIRST") == 1


def test_numbers_go_on_beyond_4_bytes(before, others):
    with others.begin() as connection:
        connection.execute(text("SELECT setval('products_number_seq', 2147483647)"))
        connection.execute(text("UPDATE products SET number = 2147483647 WHERE sku = 'OLD-1'"))
    data.migrate()
    check_migrated(before | {"OLD-1": 2**31 - 1})
    assert [way(others, name) for name, way in WAYS.items()] == [2**31 - 1 + GAP + each for each in (1, 2, 3, 4)]


def test_old_code_writes_and_reads_throughout(before, others):
    made: dict[str, int] = {}
    failed: list[BaseException] = []
    stopping = threading.Event()

    def work(turn: int) -> None:
        way = list(WAYS.values())[turn]
        count = 0
        while not stopping.is_set():
            count += 1
            try:
                made[f"NEW-{turn}-{count}"] = way(others, f"NEW-{turn}-{count}")
                change(others, turn + count * len(WAYS))
            except Exception as error:
                failed.append(error)

    with threads(len(WAYS), work, stopping):
        wait_for(lambda: len(made) > 40)
        data.migrate()
        reached = len(made)
        wait_for(lambda: len(made) > reached + 40)
    assert failed == []
    check_migrated(before)
    assert numbers("NEW-%") == made
    assert len(set(made.values()) | set(before.values())) == len(made) + len(before)
    changed = "SELECT count(*) FROM products WHERE sku LIKE 'OLD-%' AND version > 1"
    assert value(changed) > 40


def change(engine: Engine, row: int) -> None:
    """Change one product, delete another, and read a third."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE products SET version = version + 1 WHERE sku = :sku"), {"sku": f"OLD-{row}"})
        connection.execute(text("DELETE FROM products WHERE sku = :sku"), {"sku": f"OLD-{ROWS - row}"})
    with engine.connect() as connection:
        found = connection.execute(text("SELECT number FROM products WHERE sku = :sku"), {"sku": f"OLD-{row + 7}"})
        assert {each.number for each in found} <= {row + 7}


class Interrupted(Exception):
    """The process that migrates is killed."""


@contextmanager
def at(part: str, call: Callable[[], object], skipped: int = 0) -> Iterator[None]:
    """Call something before the migration's first statement with this part, after so many with it."""
    left = [skipped]

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if part in statement:
            left[0] -= 1
            if left[0] == -1:
                call()

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def interrupt() -> None:
    raise Interrupted


@pytest.mark.parametrize(
    ("part", "skipped"),
    [
        ("CREATE TRIGGER", 0),
        ("WITH batch", 0),
        ("WITH batch", 2),
        ("VALIDATE CONSTRAINT", 0),
        ("CREATE UNIQUE INDEX", 0),
        ("RENAME COLUMN number TO", 0),
        ("setval", 0),
        ("NO CYCLE", 0),
        ("DROP COLUMN number_narrow", 0),
        ("UPDATE alembic_version", 0),
    ],
)
def test_it_may_be_interrupted_and_is_finished_by_the_next_try(before, others, part, skipped):
    with at(part, interrupt, skipped), pytest.raises(Interrupted):
        data.migrate()
    assert value("SELECT version_num FROM alembic_version") == "0015"
    made = {name: way(others, name) for name, way in WAYS.items()}
    data.migrate()
    check_migrated(before)
    assert {name: numbers(name)[name] for name in made} == made


def test_an_index_that_was_not_finished_is_built_anew(before):
    with at("RENAME COLUMN number TO", interrupt), pytest.raises(Interrupted):
        data.migrate()
    with db.engine.begin() as connection:
        index = "'uq_products_number_wide'::regclass"
        connection.execute(text(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}"))
    data.migrate()
    check_migrated(before)


@pytest.mark.parametrize("name", WAYS)
def test_a_creation_that_waits_for_the_swap_is_made(before, others, name):
    """It has read the name of the sequence that the swap replaces, and draws its number from it afterwards."""
    made: dict[str, int] = {}

    def begin() -> None:
        run_in_thread(lambda: made.update({name: WAYS[name](others, name)}))
        wait_for(lambda: value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0)

    with at("setval", begin):
        data.migrate()
    wait_for(lambda: name in made)
    check_migrated(before)
    assert made[name] > ROWS
    assert create(others, "LATER") > made[name]


def test_rows_that_are_locked_are_filled_when_they_are_free(before, others):
    with others.connect() as holder:

        def lock() -> None:
            holder.execute(text("SELECT FROM products WHERE sku IN ('OLD-3', 'OLD-1203', 'OLD-2403') FOR UPDATE"))

        with at("WITH batch", lock):
            migrating = run_in_thread(data.migrate)
            empty = "SELECT count(*) FROM products WHERE number_wide IS NULL"
            wait_for(lambda: has_column("number_wide") and value(empty) == 3)
        assert WAYS["identity"](others, "NEW") == ROWS + 1
        holder.rollback()
    wait_for(lambda: not migrating.is_alive(), 60)
    check_migrated(before)


def has_column(name: str) -> bool:
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'products'::regclass AND attname = '{}'"
    return bool(value(columns.format(name)))


def test_processes_that_wait_for_the_migration_do_not_hold_up_its_index(before, others):
    """A waiting statement would hold a snapshot, and the index is built when all older snapshots are gone."""
    waiting: list[threading.Thread] = []
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%advisory_lock(%' AND pid <> pg_backend_pid()"

    def begin() -> None:
        before = value(asked)
        waiting.append(run_in_thread(data.migrate))
        wait_for(lambda: value(asked) > before)

    with at("CREATE UNIQUE INDEX CONCURRENTLY uq", begin):
        data.migrate()
    wait_for(lambda: not any(thread.is_alive() for thread in waiting))
    check_migrated(before)
