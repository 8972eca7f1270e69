"""Dry runs: what an import would do, counted in one statement; what it saw is kept beside the staged rows.

So a commit, later, applies what was staged and can tell exactly which products have changed since: those that are
no longer there, are there now, or have another version.
"""

import json
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, func, text
from sqlalchemy.orm import Session

from catalog import pagination
from catalog.errors import Conflict
from catalog.extensions import db
from catalog.imports import mapping, staging
from catalog.imports.feed import READ_PERCENT
from catalog.imports.lease import Lease, prove
from catalog.imports.models import MISFITS, Import, RejectedRow, is_rehearsal
from catalog.imports.reader import stored_header
from catalog.imports.statements import Plan

PAGE = 50
SHOWN = 20  # differences, and products that changed meanwhile


def carry_out(lease: Lease, plan: Plan) -> None:
    """Count what applying the staged rows would do, and write it to the import's row. Raises LeaseLost."""
    with lease.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # as in loading.py
        connection.execute(text(f"DROP TABLE IF EXISTS {_seen(lease.id)}"))
        connection.execute(text(f"CREATE UNLOGGED TABLE {_seen(lease.id)} AS {plan.outcomes()}"))
        counts = _counts(connection, lease, plan)
        report = {**counts, "differences": _differences(connection, lease, plan)}
        prove(
            connection,
            lease,
            "created = :created, updated = :updated, unchanged = :unchanged, rejected = rejected + :errors,"
            " dry_run = CAST(:report AS jsonb) || jsonb_build_object('errors', rejected + :errors)",
            report=json.dumps(report, default=_plain),
            **counts,
        )


def _counts(connection: Connection, lease: Lease, plan: Plan) -> dict[str, int]:
    seen = _seen(lease.id)
    rows = connection.execute(text(f"SELECT outcome, count(*) AS number FROM {seen} GROUP BY outcome"))
    found = {row.outcome: row.number for row in rows}
    if found.get("refused"):
        where = f"s.position IN (SELECT position FROM {seen} WHERE outcome = 'refused')"
        connection.execute(text(plan.refusal(where)), {"id": lease.id})
    counts = {name: found.get(name, 0) for name in ("created", "updated", "unchanged")}
    return {**counts, "errors": found.get("refused", 0)}


def _differences(connection: Connection, lease: Lease, plan: Plan) -> list[dict[str, Any]]:
    """Return the first changes in the order of the file, as {line, sku, changed: {field: {from, to}}}."""
    found = connection.execute(text(plan.differences(_seen(lease.id), SHOWN)), {"bytes": pagination.max_bytes()})
    return _shown(plan, found.mappings())


def page(imported: Import, after: int) -> dict[str, Any]:
    """Return the differences after a line: {"items", "next"}, an item as in the report.

    They are against the products as they are now. Raises Conflict where what was staged is gone.
    """
    connection = db.session.connection()
    if not connection.scalar(text("SELECT to_regclass(:name)"), {"name": _seen(imported.id)}):
        raise Conflict("What the dry run staged is gone from the server; its first differences are still shown.")
    columns = mapping.read(imported.options.get("mapping"))
    header = stored_header(imported.header, mapping.renames(columns))
    plan = Plan.of(staging.table_name(imported.id), header, imported.options)
    query = text(plan.differences(_seen(imported.id), PAGE + 1, after))
    found = connection.execute(query, {"bytes": pagination.max_bytes()}).mappings().all()
    items = _shown(plan, found[:PAGE])
    return {"items": items, "next": items[-1]["line"] if items and found[0]["found"] > len(items) else None}


def _shown(plan: Plan, found: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {
            "line": row["line"],
            "sku": row["sku"],
            "changed": {
                name: {"from": row[f"old_{name}"], "to": row[f"new_{name}"]}
                for name in plan.columns
                if row[f"old_{name}"] != row[f"new_{name}"]
            },
        }
        for row in found
    ]


def note_changes(lease: Lease, plan: Plan) -> None:
    """Write down, before a commit's first row, which products have changed since the dry run. Raises LeaseLost."""
    with lease.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        if not connection.scalar(text("SELECT to_regclass(:name)"), {"name": _seen(lease.id)}):
            return
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        found = connection.execute(text(plan.changed_since(_seen(lease.id), SHOWN))).mappings().all()
        changed = {
            "count": found[0]["count"] if found else 0,
            "products": [{name: row[name] for name in ("line", "sku", "version_then", "version_now")} for row in found],
        }
        prove(connection, lease, "changed_meanwhile = CAST(:changed AS jsonb)", changed=json.dumps(changed))


def reopen(session: Session, imported: Import) -> None:
    """Make a finished dry run, locked by the caller, an import that waits for a worker. Raises Conflict."""
    if imported.committed_at is not None:
        raise Conflict("The dry run was committed already.")
    if not is_rehearsal(imported) or imported.state != "completed":
        raise Conflict("The import is no finished dry run.")
    if not staging.is_staged(session.connection(), imported.id, imported.staged_rows):
        raise Conflict("What the dry run staged is gone from the server. Please upload the file again.")
    refused = RejectedRow.import_id == imported.id, RejectedRow.code.in_(MISFITS)
    gone = session.execute(delete(RejectedRow).where(*refused), execution_options={"synchronize_session": False})
    imported.rejected -= gone.rowcount  # type: ignore[attr-defined]
    imported.created = imported.updated = imported.unchanged = imported.attempts = 0
    imported.state, imported.percent, imported.finished_at = "pending", READ_PERCENT, None
    imported.committed_at = imported.rung_at = func.clock_timestamp()
    imported.lease_until, imported.cancel_requested = None, False
    session.flush()


def drop(connection: Connection, import_id: uuid.UUID) -> None:
    """Drop what a dry run has seen."""
    connection.execute(text(f"DROP TABLE IF EXISTS {_seen(import_id)}"))


def _seen(import_id: uuid.UUID) -> str:
    return f"{staging.table_name(import_id)}_seen"


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)
