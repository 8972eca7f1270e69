"""A month gets its part while others write: they wait for it, and none of them fails."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from catalog.audit import partitions, service
from catalog.database import transaction
from catalog.extensions import db
from tests.processes import wait_for

WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
    " WHERE datname = current_database())"
)


@pytest.fixture
def no_parts(committed):
    """Begin without parts, and leave them as the clock would."""
    with committed.app_context():
        with transaction() as session:
            made = partitions.parts(session)
        for month in made:
            partitions._drop(month)
        yield committed
        db.session.rollback()
        partitions.sweep()


def test_an_entry_that_waits_for_a_new_part_is_written(no_parts):
    def inside(work):
        with no_parts.app_context():
            return work()

    def waiting(count):
        with db.engine.connect() as connection:
            return connection.scalar(WAITING) >= count

    def write():
        with transaction():
            service.record("create", "thing", 2)

    with ThreadPoolExecutor(2) as pool:
        with transaction():
            service.record("create", "thing", 1)  # the table is in use until the end of this block
            sweeping = pool.submit(inside, partitions.sweep)
            wait_for(lambda: waiting(1), 5)
            writing = pool.submit(inside, write)
            wait_for(lambda: waiting(2), 5)
        sweeping.result(10)
        writing.result(10)
    found = db.session.execute(text("SELECT entity_id, tableoid::regclass::text FROM audit_entries ORDER BY 1")).all()
    assert [row[0] for row in found] == ["1", "2"]
    assert partitions.REST not in {row[1] for row in found}
