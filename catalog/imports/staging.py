"""Phase 1 of an import, in one transaction: read, check, and lay the valid rows out in the order of their SKUs.

Nothing is applied before the whole file is known, since a later line may supersede an earlier one. A kill
in this phase leaves nothing behind, and the phase is run again.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg2
from sqlalchemy import Connection, text

from catalog.imports.check import Checker
from catalog.imports.feed import READ_PERCENT, Feed
from catalog.imports.lease import Lease, prove
from catalog.imports.reader import Record
from catalog.imports.survey import Survey
from catalog.products import service as products

SUPERSEDED_DETAILS = 100


def table_name(import_id: UUID) -> str:
    """Return the name of the table that holds an import's valid rows until they are applied."""
    return f"import_{import_id.hex}"


def is_staged(connection: Connection, import_id: UUID, staged_rows: int | None) -> bool:
    """Tell whether the rows still lie there: an unlogged table is empty after a crash of PostgreSQL."""
    if staged_rows is None:
        return False
    table = table_name(import_id)
    if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is None:
        return False
    return bool(connection.scalar(text(f"SELECT count(*) FROM {table}")) == staged_rows)


def stage(lease: Lease, records: Iterator[Record], found: Survey, checker: Checker, *, keep_raw: bool) -> None:
    """Fill the import's table and `import_errors`, and write the counts to the import's row.

    Deterministic, so it can be done again. `keep_raw` keeps each row as it was beside its values, for
    refusals while applying. Raises BadFile, LeaseLost and Cancelled, and then nothing is changed.
    """
    with lease.engine.begin() as connection:
        # A file may take longer than a request's statement may; the lease watches over it.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
        feed = Feed(records, checker, lease, found.records, keep_raw=keep_raw)
        with feed.rejects:
            _copy_rows(connection, feed, checker, keep_raw=keep_raw)
            _copy_rejects(connection, feed, lease.id)
        staged = _sort(connection, table_name(lease.id))
        _record(connection, lease, feed, staged)


def _copy_rows(connection: Connection, feed: Feed, checker: Checker, *, keep_raw: bool) -> None:
    columns = {"line": "integer", **{name: products.column_types[name] for name in checker.columns}}
    if keep_raw:
        columns["data"] = "json"
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(text(f"CREATE TEMPORARY TABLE import_inbox ({definition}) ON COMMIT DROP"))
    _copy(connection, f"import_inbox ({', '.join(columns)}) FROM STDIN (DELIMITER E'\\x1f', NULL '')", feed)


def _copy_rejects(connection: Connection, feed: Feed, import_id: UUID) -> None:
    # Those of a staging before a crash go; those that applied chunks have brought up stay.
    connection.execute(
        text("DELETE FROM import_errors WHERE import_id = :id AND code NOT IN ('exists', 'not_found')"),
        {"id": import_id},
    )
    feed.rejects.seek(0)
    _copy(
        connection, "import_errors (import_id, line, field, code, message, data) FROM STDIN (FORMAT csv)", feed.rejects
    )


def _copy(connection: Connection, what: str, source: Any) -> None:
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f"COPY {what}", source)
    except psycopg2.Error:
        if failure := getattr(source, "failure", None):
            raise failure from None
        raise


def _sort(connection: Connection, table: str) -> int:
    """Make the table of the rows to apply, numbered in the order of their keys; return how many they are."""
    connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    connection.execute(
        text(f"""
        CREATE UNLOGGED TABLE {table} AS
        SELECT row_number() OVER (ORDER BY key)::integer AS position, * FROM (
            SELECT DISTINCT ON (lower(sku) COLLATE "C") lower(sku) COLLATE "C" AS key, * FROM import_inbox
            ORDER BY lower(sku) COLLATE "C", line DESC) AS last""")
    )
    connection.execute(text(f"ALTER TABLE {table} ADD PRIMARY KEY (position)"))
    connection.execute(text(f"ANALYZE {table}"))
    return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def _superseded(connection: Connection, table: str) -> list[dict[str, Any]]:
    """Return the first lines that a later line of the same SKU has superseded."""
    found = connection.execute(
        text(f"""
        SELECT i.line AS row, i.sku, s.line AS superseded_by
        FROM import_inbox i JOIN {table} s ON s.key = lower(i.sku) COLLATE "C" AND s.line <> i.line
        ORDER BY i.line LIMIT {SUPERSEDED_DETAILS}""")
    )
    return [dict(row) for row in found.mappings()]


def _record(connection: Connection, lease: Lease, feed: Feed, staged: int) -> None:
    superseded = feed.valid - staged
    details = _superseded(connection, table_name(lease.id)) if superseded else []
    prove(
        connection,
        lease,
        "total_rows = :total, staged_rows = :staged, superseded = :superseded,"
        " attempts = CASE WHEN staged_rows IS NULL THEN 0 ELSE attempts END,"
        " superseded_details = CAST(:details AS jsonb), percent = greatest(percent, :percent), rejected = :rejected"
        " + (SELECT coalesce(sum(c.rejected), 0) FROM import_chunks c WHERE c.import_id = imports.id)",
        total=feed.rows,
        staged=staged,
        superseded=superseded,
        rejected=feed.rejected,
        details=json.dumps(details),
        percent=READ_PERCENT,
    )
