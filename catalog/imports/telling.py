"""What webhooks and the audit are told of an import, in the transactions of the import itself.

For webhooks its option `events` says how much: `summary` tells of the start and the end, `per_product` of every product
that was created or changed too, `none` of nothing. For the audit the setting AUDIT_IMPORT_ROWS does. The changes of a
chunk are noted by the statement that makes them, and become events or entries in one statement each.
"""

from typing import Any

from sqlalchemy import Connection, text

from catalog.audit import service as audit
from catalog.imports.models import COUNTERS, is_rehearsal
from catalog.imports.schemas import LEVELS
from catalog.products import service as products
from catalog.webhooks import service as webhooks

_NOTES = "CREATE TEMPORARY TABLE IF NOT EXISTS import_changes (before jsonb, after jsonb) ON COMMIT DROP"
NOTING = f"""
    CASE WHEN old.id IS NOT NULL THEN {products.as_json("old")} END AS before, {products.as_json("new")} AS after"""
_CREATED = "SELECT after AS data FROM import_changes WHERE before IS NULL"
_UPDATED = """
    SELECT after || jsonb_build_object('changed', (
        SELECT jsonb_object_agg(key, jsonb_build_object('from', was.value, 'to', became.value))
        FROM jsonb_each(before) AS was JOIN jsonb_each(after) AS became USING (key)
        WHERE was.value <> became.value AND key NOT IN ('version', 'updated_at')
    )) AS data
    FROM import_changes WHERE before IS NOT NULL"""


def level(options: dict[str, Any]) -> str:
    """Return how much is to be told of the changes of an import with these options."""
    return str(options.get("events", LEVELS[0]))


def started(connection: Connection, imported: Any, total_rows: int) -> None:
    """Tell that an import begins; of a dry run nothing is told until it is committed."""
    if level(imported.options) != "none" and not is_rehearsal(imported):
        data = {"task_id": imported.id, "filename": imported.filename, "total_rows": total_rows}
        webhooks.publish_in(connection, "import.started", data)


def ended(connection: Any, imported: Any) -> None:
    """Tell how an import ended; one that was cancelled has failed, in the words of the error."""
    summary = {"state": imported.state, "error": imported.error, "dry_run": is_rehearsal(imported)}
    counted = {name: getattr(imported, name) for name in ("total_rows", *COUNTERS)}
    finished = audit.Entry("finish", "import", imported.id, after={**summary, **counted})
    audit.record_in(connection, [finished], imported.asked_by)
    if level(imported.options) == "none" or is_rehearsal(imported):
        return
    if imported.state == "completed":
        counts = {name: getattr(imported, name) for name in ("created", "updated", "unchanged")}
        data = {"task_id": imported.id, **counts, "errors": imported.rejected}
        webhooks.publish_in(connection, "import.completed", data)
    else:
        error = imported.error or f"The import was {imported.state}."
        webhooks.publish_in(connection, "import.failed", {"task_id": imported.id, "error": error})


_NOTED = "SELECT after ->> 'id' AS entity_id, before, after FROM import_changes"


def note_changes(connection: Connection) -> None:
    """Make room for the notes of a chunk."""
    connection.execute(text(_NOTES))


def tell_changes(connection: Connection, told: bool, audited_for: audit.Who | None) -> None:
    """Make events and audit entries of what a chunk noted, as far as they are wanted, and forget the notes."""
    if told:
        webhooks.publish_rows(connection, "product.created", _CREATED, {})
        webhooks.publish_rows(connection, "product.updated", _UPDATED, {})
    if audited_for is not None:
        audit.record_rows(connection, "product", _NOTED, {}, audited_for)
    connection.execute(text("TRUNCATE import_changes"))
