"""Deliveries taken, attempted and settled, each by one statement for many rows.

The functions take a connection or session and never commit. Times are the database's, so that a machine whose
clock is off neither sends early nor loses a lease.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from catalog.audit import service as audit
from catalog.webhooks.outbox import Executor, encode, publish
from catalog.webhooks.retry import GIVE_UP_AFTER
from catalog.webhooks.shares import SHARE, Waiting

LEASE_MARGIN_SECONDS = 10
MAX_COUNT = 2**31 - 1  # of deliveries that a webhook's counters hold


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this process may attempt; `attempts` went before, `age` is in seconds since it was queued."""

    delivery_id: str
    webhook_id: str
    event_id: str
    token: str
    attempts: int
    age: float


@dataclass(frozen=True, slots=True)
class Message:
    """An event as it was written; `data` is JSON text."""

    id: str
    name: str
    data: str
    created_at: datetime


_TEST = text("""
    WITH event AS (
        INSERT INTO webhook_events (name, data, is_test) VALUES (:name, CAST(:data AS json), true) RETURNING id
    )
    INSERT INTO webhook_deliveries (webhook_id, event_id, due_at, lease_token)
    SELECT :webhook_id, event.id, NULL, :token FROM event RETURNING id, event_id
""")


def publish_test(database: Executor, webhook_id: str, name: str, data: dict[str, Any]) -> Leased:
    """Write an event for one webhook alone, whose delivery is never due: the caller attempts it, once."""
    token = str(uuid.uuid4())
    values = {"webhook_id": webhook_id, "name": name, "data": encode(data), "token": token}
    row = database.execute(_TEST, values).one()
    return Leased(str(row.id), webhook_id, str(row.event_id), token, 0, 0.0)


_DUE = """
    webhook_id = webhooks.id AND status = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
"""
_WAITING = text(f"""
    SELECT webhooks.id, url, created_by, counted.due FROM webhooks CROSS JOIN LATERAL (
        SELECT count(*)::int AS due FROM (SELECT FROM webhook_deliveries WHERE {_DUE} LIMIT :share) AS mine
    ) AS counted WHERE is_active AND counted.due > 0
""")


def waiting(database: Executor, share: int = SHARE) -> list[Waiting]:
    """Return the webhooks that have due deliveries."""
    rows = database.execute(_WAITING, {"share": share})
    return [Waiting(str(row.id), row.url, row.created_by or "", row.due) for row in rows]


_LEASE = text(f"""
    WITH due AS (
        SELECT mine.id, timeout_seconds
        FROM unnest(CAST(:ids AS uuid[]), CAST(:rooms AS int[])) AS given (id, room) JOIN webhooks USING (id)
        CROSS JOIN LATERAL (
            SELECT id FROM webhook_deliveries WHERE {_DUE} ORDER BY due_at LIMIT room FOR UPDATE SKIP LOCKED
        ) AS mine
        WHERE is_active
    )
    UPDATE webhook_deliveries AS delivery
    SET lease_token = :token, lease_until = now() + make_interval(secs => timeout_seconds + {LEASE_MARGIN_SECONDS})
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.id, webhook_id, event_id, attempts, extract(epoch FROM now() - queued_at)::float8 AS age
""")


def lease(database: Executor, rooms: Mapping[str, int]) -> list[Leased]:
    """Take due deliveries for this process, of each webhook as many as it has room for."""
    token = str(uuid.uuid4())
    rows = database.execute(_LEASE, {"token": token, "ids": list(rooms), "rooms": list(rooms.values())})
    return [Leased(str(row.id), str(row.webhook_id), str(row.event_id), token, row.attempts, row.age) for row in rows]


_MESSAGES = text("SELECT id, name, data::text AS data, created_at FROM webhook_events WHERE id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)


def messages(database: Executor, ids: Sequence[str]) -> dict[str, Message]:
    """Return events by id."""
    rows = database.execute(_MESSAGES, {"ids": list(ids)})
    return {str(row.id): Message(str(row.id), row.name, row.data, row.created_at) for row in rows}


_RELEASE = text("""
    UPDATE webhook_deliveries SET lease_token = NULL, lease_until = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[])) AS mine (id, token)
    WHERE webhook_deliveries.id = mine.id AND lease_token = mine.token
""")


def release(database: Executor, leased: Sequence[Leased]) -> None:
    """Give deliveries back that were not attempted to the end."""
    values = {"ids": [one.delivery_id for one in leased], "tokens": [one.token for one in leased]}
    database.execute(_RELEASE, values)


# The log keeps every attempt; a delivery is only settled by whoever holds its lease. Webhooks are locked in order,
# so that two senders never wait for each other.
_RECORD = text(f"""
    WITH result AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:results AS json)) AS result (
            delivery_id uuid, webhook_id uuid, event_id uuid, token uuid, event text, attempt int, status_code int,
            response_body text, response_time_ms int, error text, retry_in float8, gone boolean
        )
    ), logged AS (
        INSERT INTO webhook_attempts (
            webhook_id, delivery_id, event_id, event, attempt, status_code, response_body, response_time_ms, error
        ) SELECT
            webhook_id, delivery_id, event_id, event, attempt, status_code, response_body, response_time_ms, error
        FROM result
    ), settled AS (
        UPDATE webhook_deliveries AS delivery SET
            status = CASE WHEN error IS NULL THEN 'delivered' WHEN retry_in IS NULL THEN 'failed' ELSE 'pending' END,
            attempts = attempt,
            due_at = now() + make_interval(secs => retry_in),
            finished_at = CASE WHEN retry_in IS NULL THEN now() END,
            lease_token = NULL,
            lease_until = NULL
        FROM result WHERE delivery.id = result.delivery_id AND delivery.lease_token = result.token
    ), tally AS (
        SELECT webhook_id, count(*) FILTER (WHERE error IS NULL) AS successes, count(error) AS failures,
            max(error) AS error, bool_or(gone) AS gone
        FROM result GROUP BY webhook_id
    ), locked AS MATERIALIZED (
        SELECT id FROM webhooks WHERE id IN (SELECT webhook_id FROM tally) ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE webhooks AS webhook SET
        last_triggered_at = now(),
        success_count = least(success_count::bigint + successes, {MAX_COUNT}),
        failure_count = least(failure_count::bigint + failures, {MAX_COUNT}),
        last_error = error,
        failing_since = CASE WHEN successes = 0 THEN coalesce(failing_since, now()) END,
        is_active = is_active AND NOT gone
            AND NOT (successes = 0 AND coalesce(failing_since < now() - interval '{GIVE_UP_AFTER} seconds', false))
    FROM tally JOIN locked ON locked.id = tally.webhook_id
    WHERE webhook.id = tally.webhook_id
    RETURNING webhook.id, webhook.url, webhook.last_error, tally.gone,
        webhook.failing_since, old.is_active AND NOT new.is_active AS disabled
""")


def record(database: Executor, results: Sequence[dict[str, Any]]) -> None:
    """Log attempts, settle their deliveries, count on their webhooks, and tell of each webhook that is disabled.

    A result has the keys of the record in the statement above; `retry_in` is in seconds, None for no further try.
    """
    rows = database.execute(_RECORD, {"results": json.dumps(results)}).all()
    for row in rows:
        if row.disabled:
            reason = "The receiver answered 410 Gone" if row.gone else "It failed for five days"
            data = {"id": row.id, "url": row.url, "reason": reason, "last_error": row.last_error}
            publish(database, "webhook.disabled", {**data, "failing_since": row.failing_since})
            switched = audit.Entry("update", "webhook", row.id, {"is_active": True}, {"is_active": False})
            audit.record_in(database, [switched])
