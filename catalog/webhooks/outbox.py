"""The outbox in SQL: events and their deliveries are written with the change that they tell of.

The functions take a connection or session and never commit. What becomes of a delivery is in leases.py.
"""

import json
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, TextClause, text
from sqlalchemy.orm import Session

from catalog.plain import plain
from catalog.webhooks.events import matching

CHANNEL = "webhooks"
SENDERS = 0x686F6F6B  # "hook": the advisory lock that every sender shares for as long as its connection lives
DATA_LIMIT = 64 * 1024  # bytes of JSON; beyond, an event carries ids alone
IDS = ("id", "number", "sku", "task_id", "version", "url")

Executor = Connection | Session


_DELIVER = """
    INSERT INTO webhook_deliveries (webhook_id, event_id)
    SELECT webhooks.id, event.id FROM event, webhooks
    WHERE webhooks.is_active AND webhooks.events && CAST(:subscriptions AS text[])
"""
_PUBLISH = text(f"""
    WITH event AS (
        INSERT INTO webhook_events (name, data) VALUES (:name, CAST(:data AS json)) RETURNING id
    ) {_DELIVER}
""")


def publish(database: Executor, name: str, data: dict[str, Any]) -> int:
    """Write an event and one delivery for each active webhook that subscribed; return how many deliveries."""
    return _written(database, _PUBLISH, {"name": name, "data": encode(data), "subscriptions": matching(name)})


def publish_rows(database: Executor, name: str, rows: str, parameters: dict[str, Any]) -> int:
    """Write one event for each row of the SQL query `rows`, whose one column `data` is JSON; return as `publish()`."""
    statement = f"""
        WITH event AS (
            INSERT INTO webhook_events (name, data)
            SELECT :name, CASE WHEN octet_length(data::text) <= {DATA_LIMIT} THEN data::json ELSE {_THINNED} END
            FROM ({rows}) AS rows RETURNING id
        ) {_DELIVER}
    """
    return _written(database, text(statement), {**parameters, "name": name, "subscriptions": matching(name)})


def _written(database: Executor, statement: TextClause, values: dict[str, Any]) -> int:
    return cast(CursorResult[Any], database.execute(statement, values)).rowcount


_THINNED = (
    "json_strip_nulls(json_build_object("
    + ", ".join(f"'{name}', data::json -> '{name}'" for name in IDS)
    + ", 'truncated', true))"
)


def encode(data: dict[str, Any]) -> str:
    """Return an event's data as JSON text, thinned to its ids where it is longer than the limit."""
    written = _json(data)
    if len(written.encode()) <= DATA_LIMIT:
        return written
    return _json({**{name: data[name] for name in IDS if name in data}, "truncated": True})


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=plain)


def notify(database: Executor) -> None:
    """Wake the sender once the current transaction commits. Commits that notify wait for each other."""
    database.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


def ring(database: Executor) -> None:
    """Wake the sender from a transaction of its own, which is over in no time: it waits for no disk."""
    database.execute(text("SET LOCAL synchronous_commit = off"))
    notify(database)


def enlist(database: Executor) -> None:
    """Have this connection hear the bell, and be known as a sender's."""
    database.execute(text(f"LISTEN {CHANNEL}"))
    database.execute(text("SELECT pg_advisory_lock_shared(:key)"), {"key": SENDERS})
