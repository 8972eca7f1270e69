"""Many products created or changed by SKU in one call: one statement, one transaction, one result for each item.

The statement takes its locks in the order of the keys, as imports do, so that neither two calls nor a call and an
import can wait for each other in a circle. An item that is wrong is left out and told of; the others go on.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import marshmallow as ma
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from catalog.audit import service as audit
from catalog.cache import invalidate
from catalog.database import transaction
from catalog.errors import FieldError, field_error, flatten
from catalog.products import events
from catalog.products.bulk_schemas import ProductBulkItemSchema
from catalog.products.models import COLUMN_TYPES
from catalog.webhooks import service as webhooks

TRIES = 5
_WORTH_A_RETRY = ("40001", "40P01", "23505")  # serialization, deadlock, a number or SKU taken in between

_ITEM = ProductBulkItemSchema()
_COLUMNS = {name: kind for name, kind in COLUMN_TYPES.items() if name != "sku"}
_DEFAULTS = {"active": "true", "stock_quantity": "0"}


@dataclass
class Result:
    """What became of one item: `result` is created, updated, unchanged or error, then with `errors`."""

    index: int
    sku: str | None
    result: str
    id: str | None = None
    version: int | None = None
    errors: list[FieldError] = field(default_factory=list)


def upsert(items: list[Any]) -> dict[str, Any]:
    """Create or change products by SKU; return {"created", "updated", "unchanged", "errors", "results"}.

    Items are as a client sends them. A given field changes, the others stay; a new product needs a name. Of items
    with the same SKU the first counts and the others are errors.
    """
    results = [_judged(index, item) for index, item in enumerate(items)]
    rows = [{"index": index, **values} for index, values in enumerate(results) if isinstance(values, dict)]
    done = _written(rows)
    answers = [done[index] if isinstance(one, dict) else one for index, one in enumerate(results)]
    counts = {name: sum(one.result == name for one in answers) for name in ("created", "updated", "unchanged")}
    errors = len(answers) - sum(counts.values())
    return {**counts, "errors": errors, "results": [asdict(one) for one in answers]}


def _judged(index: int, item: Any) -> dict[str, Any] | Result:
    """Return the columns that an item gives, or the result that refuses it."""
    try:
        return _ITEM.load(item)  # type: ignore[no-any-return]
    except ma.ValidationError as error:
        sku = item.get("sku") if isinstance(item, dict) else None
        return Result(index, sku if isinstance(sku, str) else None, "error", errors=flatten(error.messages))


def _written(rows: list[dict[str, Any]]) -> dict[int, Result]:
    """Write the rows, again where others were in the way, and return their results by index."""
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction() as session, session.begin_nested():  # of a transaction that goes on
                return _write(session, rows)
        except DBAPIError as error:
            passing = getattr(error.orig, "pgcode", None) in _WORTH_A_RETRY
            if not passing or not tries_left:
                raise
    raise AssertionError("unreachable")


def _write(session: Session, rows: list[dict[str, Any]]) -> dict[int, Result]:
    if not rows:
        return {}
    found = session.execute(_UPSERT, {"rows": json.dumps(rows, default=str)}).mappings().all()
    written = [row for row in found if row["after"]]
    if written:
        invalidate(*(f"product:{row['after']['id']}" for row in written))
    _tell(session, written)
    return {row["index"]: _result(row) for row in found}


def _tell(session: Session, written: list[Any]) -> None:
    created = [row["after"] for row in written if row["before"] is None]
    updated = [events.difference(row["before"], row["after"]) for row in written if row["before"]]
    for name, data in (("product.created", created), ("product.updated", updated)):
        if data:
            webhooks.publish_rows(session, name, _EACH, {"data": json.dumps(data)})
    audit.record_each([_entry(row["before"], row["after"]) for row in written])


def _entry(before: dict[str, Any] | None, after: dict[str, Any]) -> audit.Entry:
    return audit.Entry("update" if before else "create", "product", after["id"], before, after)


_EACH = "SELECT value AS data FROM jsonb_array_elements(CAST(:data AS jsonb))"


def _result(row: Any) -> Result:
    index, sku, after = row["index"], row["sku"], row["after"]
    if row["first"] != index:
        refusal = field_error("sku", f"Is the SKU of item {row['first']} too.", "duplicate")
        return Result(index, sku, "error", errors=[refusal])
    if after:
        return Result(index, sku, "updated" if row["before"] else "created", after["id"], after["version"])
    if row["id"] is None:
        return Result(index, sku, "error", errors=[field_error("name", "Missing data for required field.", "required")])
    return Result(index, sku, "unchanged", str(row["id"]), row["version"])


def _statement() -> str:
    """Return the upsert of the items, an array of JSON objects in `rows`, of which each gives some columns only."""
    kinds = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    given = ", ".join(f"value ? '{name}' AS has_{name}" for name in _COLUMNS)
    merged = {
        name: f"CASE WHEN i.has_{name} THEN i.{name} ELSE coalesce(p.{name}, {_DEFAULTS.get(name, 'NULL')}) END"
        for name in _COLUMNS
    }
    late = {
        name: f"""CASE WHEN lower(excluded.sku) COLLATE "C" IN (SELECT key FROM items WHERE has_{name})
                  THEN excluded.{name} ELSE products.{name} END"""
        for name in _COLUMNS
    }
    present = ", ".join(f"p.{name}" for name in _COLUMNS)
    stored = ", ".join(f"products.{name}" for name in _COLUMNS)
    return f"""
    WITH sent AS MATERIALIZED (
        SELECT item.*, {given}, lower(item.sku) COLLATE "C" AS key
        FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS value,
            jsonb_to_record(value) AS item (index integer, sku text, {kinds})
    ), numbered AS MATERIALIZED (
        SELECT *, min(index) OVER (PARTITION BY key) AS first FROM sent
    ), items AS MATERIALIZED (
        SELECT * FROM numbered WHERE index = first
    ), present AS MATERIALIZED (
        SELECT i.index, p.* FROM items i, LATERAL (
            SELECT * FROM products q WHERE lower(q.sku) COLLATE "C" = i.key LIMIT 1
        ) p
    ), done AS (
        INSERT INTO products (number, sku, {", ".join(_COLUMNS)})
        SELECT coalesce(p.number, nextval('products_number_seq')), i.sku, {", ".join(merged.values())}
        FROM items i LEFT JOIN present p USING (index)
        WHERE CASE WHEN p.id IS NULL THEN i.has_name
            ELSE ({present}) IS DISTINCT FROM ({", ".join(merged.values())}) END
        ORDER BY i.key
        ON CONFLICT (lower(sku) COLLATE "C") DO UPDATE
        SET {", ".join(f"{name} = {value}" for name, value in late.items())},
            version = products.version + 1, updated_at = clock_timestamp()
        WHERE ({stored}) IS DISTINCT FROM ({", ".join(late.values())})
        RETURNING lower(new.sku) COLLATE "C" AS key,
            CASE WHEN old.id IS NOT NULL THEN {events.as_json("old")} END AS before, {events.as_json("new")} AS after
    )
    SELECT n.index, n.sku, n.first, p.id, p.version, d.before, d.after
    FROM numbered n LEFT JOIN present p ON p.index = n.first LEFT JOIN done d ON d.key = n.key AND n.index = n.first
    ORDER BY n.index"""


_UPSERT = text(_statement())
