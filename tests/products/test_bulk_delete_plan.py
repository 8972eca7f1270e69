"""A chunk of a bulk deletion costs what it deletes, whatever PostgreSQL believes of the table."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from catalog.extensions import db
from catalog.products import bulk_delete

ROWS, CHUNK = 20_000, 2_000
FILL = text("INSERT INTO products (sku, name) SELECT 'SKU-' || n, 'Lamp' FROM generate_series(1, :rows) n")
# As after an import into an empty table that autovacuum has not seen.
NO_ROWS = "UPDATE pg_class SET reltuples = 1, relpages = 1 WHERE oid = 'products'::regclass"
# What PostgreSQL may choose where it takes a side for tiny: a subquery after IN is then read again for each row.
NESTED_LOOPS = "; ".join(f"SET LOCAL enable_{kind} = off" for kind in ("hashjoin", "mergejoin", "hashagg", "sort"))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("belief", [NO_ROWS, NESTED_LOOPS])
def test_a_chunk_reads_each_row_once_and_deletes_no_more_than_it_says(context, belief):
    session = db.session
    session.execute(FILL, {"rows": ROWS})
    session.execute(text("ANALYZE products"))
    session.execute(text(belief))
    statement = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {bulk_delete._NEXT}")
    asked_at = session.scalar(text("SELECT now()"))
    found = session.scalar(statement, {"asked_at": asked_at, "chunk": CHUNK})
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    read = sum(node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan))
    assert read <= 2 * ROWS + 6 * CHUNK, plan
    assert session.scalar(text("SELECT count(*) FROM products")) == ROWS - CHUNK
