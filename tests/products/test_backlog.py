"""A long queue of writes is taken from as fast as a short one, whatever PostgreSQL knows of the table's size."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from catalog.extensions import db
from catalog.products import applying
from tests.products.test_plans import nodes, rows_looked_at

QUEUED = text("""
    INSERT INTO product_writes (product_id, kind, fields)
    SELECT uuidv7(), 'create', jsonb_build_object('name', 'Lamp ' || n) FROM generate_series(1, 20000) n""")
UPDATES = text("""
    INSERT INTO product_writes (product_id, kind, fields)
    SELECT product_id, 'update', '{}' FROM product_writes""")


@pytest.fixture(params=["analyzed while empty", "never analyzed since", "analyzed when full"])
def backlog(request, committed) -> Iterator[None]:
    """40,000 writes of 20,000 products wait, and PostgreSQL believes one thing or another of them."""
    with committed.app_context():
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if request.param == "analyzed while empty":
                connection.execute(text("ANALYZE product_writes"))
            connection.execute(QUEUED)
            connection.execute(UPDATES)
            if request.param == "analyzed when full":
                connection.execute(text("ANALYZE product_writes"))
        yield
        db.session.rollback()


def test_taking_the_next_write_looks_at_no_other(backlog):
    plan = explained(applying._next(None))
    assert rows_looked_at(plan) <= 5, [node["Node Type"] for node in nodes(plan)]


def explained(statement: Any) -> dict[str, Any]:
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    return db.session.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}"))[0]["Plan"]
