"""Writing down who changed what, in the transaction of the change; and reading it.

Every feature may call `record()` and its sisters. Call them after the change: what fails then takes both with it.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flask import g, has_request_context
from sqlalchemy import ColumnElement, Connection, CursorResult, select, text
from sqlalchemy.orm import Session

from catalog import pagination, replica
from catalog.access import caller
from catalog.audit.models import AuditEntry, id_at
from catalog.database import transaction
from catalog.errors import NotFound
from catalog.extensions import db
from catalog.plain import plain

Who = dict[str, str | None]
Executor = Connection | Session

# Of these it is told that they changed, and no more.
SECRET_FIELDS = frozenset({"secret", "headers", "secret_headers", "password", "token"})
HIDDEN = "***"
_UNTOLD = "updated_at"  # the entry itself says when

_acting: ContextVar[Who | None] = ContextVar("acting", default=None)


@dataclass(frozen=True)
class Entry:
    """One write of many: `before` and `after` may be whole, since only what differs is kept."""

    action: str
    entity: str
    entity_id: object
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def who() -> Who:
    """Return who is at work: {"id", "name", "address", "request_id"}, to be kept with what is done later."""
    acting = _acting.get()
    if acting is not None:
        return acting
    asking = caller()
    request_id = g.get("request_id") if has_request_context() else None
    return {"id": asking.id, "name": asking.name, "address": asking.address, "request_id": request_id}


@contextmanager
def acting_as(asked_by: Who | None) -> Iterator[None]:
    """Write down, within the block, who asked for the work rather than who carries it out; None changes nothing."""
    token = _acting.set(asked_by or _acting.get())
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    action: str,
    entity: str,
    entity_id: object,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write an entry in the current transaction. `action` is a verb: create, update, delete, cancel …"""
    record_each([Entry(action, entity, entity_id, before, after)])


def record_each(entries: Sequence[Entry]) -> None:
    """Write many entries in the current transaction, by one statement."""
    if entries:
        with transaction() as session:
            record_in(session, entries)


def record_in(database: Executor, entries: Sequence[Entry], asked_by: Who | None = None) -> None:
    """Record entries in the given connection's transaction, for work that was requested earlier."""
    written = _json([_row(entry) for entry in entries])
    database.execute(_RECORD, {"who": _json(asked_by or who()), "entries": written})


def record_rows(
    database: Executor, entity: str, rows: str, parameters: dict[str, Any], asked_by: Who | None = None
) -> int:
    """Write an entry for every row of an SQL query, or of a statement that returns rows, and return how many.

    Its columns are `entity_id`, `before` and `after`, jsonb or NULL: without `before` it is a creation, without
    `after` a deletion.
    """
    statement = text(f"WITH changed AS ({rows}) {inserting(_CHANGED)}")
    result = database.execute(statement, {**parameters, "who": _json(asked_by or who()), "entity": entity})
    assert isinstance(result, CursorResult)
    return result.rowcount


def inserting(rows: str, at: str | None = None) -> str:
    """Return the SQL that writes entries, for statements that do so beside their own work.

    `rows` is a query for `who` (jsonb), `action`, `entity`, `entity_id`, `before` and `after`; its expression `at` is
    when it was, where it is written down later.
    """
    name, made = ("id,", f"uuidv7({at} - clock_timestamp()),") if at else ("", "")
    return f"""
        INSERT INTO audit_entries
            ({name} actor_id, actor_name, address, request_id, action, entity, entity_id, before, after)
        SELECT {made} who ->> 'id', who ->> 'name', who ->> 'address', who ->> 'request_id',
            action, entity, entity_id, before, after
        FROM ({rows}) AS entry"""


_ENTRIES = """
    SELECT CAST(:who AS jsonb) AS who, entry.* FROM jsonb_to_recordset(CAST(:entries AS jsonb))
        AS entry (action text, entity text, entity_id text, before jsonb, after jsonb)"""
_RECORD = text(inserting(_ENTRIES))


def _differing(mine: str, other: str) -> str:
    return f"""
        CASE WHEN {other} IS NULL THEN {mine} - '{_UNTOLD}' ELSE (
            SELECT jsonb_object_agg(key, value) FROM jsonb_each({mine})
            WHERE value IS DISTINCT FROM {other} -> key AND key <> '{_UNTOLD}'
        ) END"""


_CHANGED = f"""
    SELECT CAST(:who AS jsonb) AS who, CAST(:entity AS text) AS entity, entity_id,
        CASE WHEN before IS NULL THEN 'create' WHEN after IS NULL THEN 'delete' ELSE 'update' END AS action,
        {_differing("before", "after")} AS before, {_differing("after", "before")} AS after
    FROM changed"""


def _row(entry: Entry) -> dict[str, Any]:
    before, after = entry.before, entry.after
    return {
        "action": entry.action,
        "entity": entry.entity,
        "entity_id": str(entry.entity_id),
        "before": before and _told(before, after or {}),
        "after": after and _told(after, before or {}),
    }


def _told(mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that differ, the secret ones hidden."""
    missing = object()
    changed = {name: value for name, value in mine.items() if other.get(name, missing) != value and name != _UNTOLD}
    return {name: _hidden(value) if name in SECRET_FIELDS else value for name, value in changed.items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    return value and HIDDEN


def _json(value: Any) -> str:
    return json.dumps(value, default=plain).replace("\\u0000", "\\ufffd")  # which jsonb does not hold


@replica.reads
def page(session: Session, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of entries, the latest first, for a loaded AuditQuerySchema.

    The page is {"items", "limit", "has_more", "next_cursor"}; the cursor is its last id.
    """
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "entity": lambda value: AuditEntry.entity == value,
        "id": lambda value: AuditEntry.entity_id == value,
        "actor": lambda value: AuditEntry.actor_id == value,
        "action": lambda value: AuditEntry.action == value,
        "since": lambda value: AuditEntry.id >= id_at(value),
        "until": lambda value: AuditEntry.id < id_at(value),
        "cursor": lambda value: AuditEntry.id < value,
    }
    wanted = select(AuditEntry).where(
        *(condition(query[name]) for name, condition in conditions.items() if name in query)
    )
    found = pagination.fetch(
        session,
        wanted.order_by(AuditEntry.id.desc()),
        [AuditEntry.before, AuditEntry.after],
        lambda columns: [columns.id.desc()],
        query["limit"],
    )
    items = [row[0] for row in found.rows]
    cursor = items[-1].id if found.has_more else None
    return {"items": items, "limit": query["limit"], "has_more": found.has_more, "next_cursor": cursor}


_IS_PRODUCT = text("SELECT EXISTS (SELECT FROM products WHERE id = :id)")


def product_history(product_id: uuid.UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of what was done to a product, also to one that is gone, in the shape of `page()`.

    Raises NotFound for an id that no product has and of which nothing was written down.
    """
    own = {"entity": "product", "id": str(product_id)}
    found = page({**query, **own})
    known = found["items"] or page({**own, "limit": 1})["items"]
    if not known and not db.session.scalar(_IS_PRODUCT, {"id": product_id}):
        raise NotFound("There is no such product, and there is no record of one.")
    return found
