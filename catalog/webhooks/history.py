"""What was sent and what came of it: the log of attempts, the deliveries, and figures over both."""

import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, text
from sqlalchemy.orm import Session, with_expression

from catalog import pagination, replica
from catalog.audit import service as audit
from catalog.database import after_commit, transaction
from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.webhooks import service
from catalog.webhooks.activity import first_id
from catalog.webhooks.models import PENDING, Attempt, Delivery, Event, Webhook

STATS_HOURS = 24


def logs(webhook_id: uuid.UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of a webhook's attempts, the newest first, for a loaded LogQuerySchema. Raises NotFound.

    The page is {"items", "limit", "has_more", "next_cursor"}; an item is an attempt with its `payload`.
    """
    service.get(webhook_id)
    statement = (
        select(Attempt, Event.data.label("event_data"))
        .outerjoin(Event, Event.id == Attempt.event_id)
        .where(Attempt.webhook_id == webhook_id)
    )
    conditions = {
        "event": lambda value: Attempt.event == value,
        "delivery_id": lambda value: Attempt.delivery_id == value,
        "status_code": lambda value: Attempt.status_code == value,
        "success": lambda value: Attempt.error.is_(None) if value else Attempt.error.is_not(None),
        "since": lambda value: Attempt.created_at >= value,
        "until": lambda value: Attempt.created_at < value,
        "cursor": lambda value: Attempt.id < value,
    }
    return _logged(_filtered(statement, conditions, query), query["limit"])


@replica.reads
def _logged(session: Session, statement: Any, limit: int) -> dict[str, Any]:
    found = pagination.fetch_cut(
        session,
        statement.order_by(Attempt.id.desc()),
        pagination.json_bytes(Event.data) + pagination.text_bytes(Attempt.response_body, Attempt.error),
        lambda columns: [columns.id.desc()],
        limit,
        options=lambda attempt, columns: [with_expression(attempt.payload, columns.event_data)],
    )
    items = [row[0] for row in found.rows]
    cursor = items[-1].id if found.has_more else None
    return {"items": items, "limit": limit, "has_more": found.has_more, "next_cursor": cursor}


def deliveries(webhook_id: uuid.UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of a webhook's deliveries, the newest event first, in the shape of `logs()`. Raises NotFound."""
    service.get(webhook_id)
    statement = _deliveries().where(Delivery.webhook_id == webhook_id)
    conditions = {**_CONDITIONS, "cursor": lambda value: Delivery.event_id < value}
    return _page(_filtered(statement, conditions, query), Delivery.event_id, query["limit"])


def all_deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of the deliveries to all webhooks, or to the `webhook_id` of the query, the latest first."""
    conditions = {
        **_CONDITIONS,
        "webhook_id": lambda value: Delivery.webhook_id == value,
        # No delivery is older than its event, and ids go by time.
        "since": lambda value: and_(_CONDITIONS["since"](value), Delivery.id >= first_id(value)),
        "cursor": lambda value: Delivery.id < value,
    }
    return _page(_filtered(_deliveries(), conditions, query), Delivery.id, query["limit"])


def delivery(delivery_id: uuid.UUID) -> Delivery:
    """Return a delivery with its event's name. Raises NotFound."""
    found = db.session.scalar(_deliveries().where(Delivery.id == delivery_id))
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


_CONDITIONS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "status": lambda value: Delivery.status == value,
    "event": lambda value: Event.name == value,
    "since": lambda value: Delivery.event_id >= first_id(value),
    "until": lambda value: Delivery.event_id < first_id(value),
}


def _deliveries() -> Select[Delivery]:
    return (
        select(Delivery)
        .outerjoin(Event, Event.id == Delivery.event_id)
        .outerjoin(Webhook, Webhook.id == Delivery.webhook_id)
        .options(with_expression(Delivery.event, Event.name), with_expression(Delivery.url, Webhook.url))
        .execution_options(populate_existing=True)
    )


def _filtered(statement: Any, conditions: dict[str, Any], query: dict[str, Any]) -> Any:
    for name, condition in conditions.items():
        if name in query:
            statement = statement.where(condition(query[name]))
    return statement


@replica.reads
def _page(session: Session, statement: Any, key: Any, limit: int) -> dict[str, Any]:
    """Pages go by id, whose order is that of time; the cursor is the last id of a page."""
    found = session.scalars(statement.order_by(key.desc()).limit(limit + 1)).all()
    items, has_more = found[:limit], len(found) > limit
    cursor = getattr(items[-1], key.key) if has_more else None
    return {"items": items, "limit": limit, "has_more": has_more, "next_cursor": cursor}


def retry(delivery_id: uuid.UUID) -> Delivery:
    """Make a delivery due now, with its retries before it again, and return it.

    Raises NotFound, and Conflict where nothing could be sent.
    """
    with transaction() as session:
        delivery = session.get(Delivery, delivery_id, with_for_update=True)
        webhook = session.get(Webhook, delivery.webhook_id) if delivery else None
        if delivery is None or webhook is None:
            raise NotFound("There is no such delivery.")
        if not webhook.is_active:
            raise Conflict("The webhook is switched off.")
        if session.get(Event, delivery.event_id) is None:
            raise Conflict("The event is no longer kept.")
        delivery.status, delivery.attempts, delivery.finished_at = PENDING, 0, None
        delivery.queued_at = delivery.due_at = func.now()  # type: ignore[assignment]
        session.flush()
        audit.record("retry", "delivery", delivery_id)
        after_commit(service.ring)
        return session.scalars(_deliveries().where(Delivery.id == delivery_id)).one()


_STATS = text(f"""
    SELECT webhooks.id AS webhook_id, url, is_active, coalesce(attempts, 0) AS attempts,
        coalesce(successes, 0) AS successes, coalesce(attempts - successes, 0) AS failures,
        round(100.0 * successes / attempts, 2)::float8 AS success_rate, p50 AS p50_ms, p95 AS p95_ms,
        (SELECT count(*) FROM webhook_deliveries WHERE webhook_id = webhooks.id AND status = 'pending') AS pending
    FROM webhooks LEFT JOIN (
        SELECT webhook_id, count(*) AS attempts, count(*) FILTER (WHERE error IS NULL) AS successes,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time_ms) AS p95
        FROM webhook_attempts WHERE id > uuidv7(interval '-{STATS_HOURS} hours') GROUP BY webhook_id
    ) AS counted ON counted.webhook_id = webhooks.id
    ORDER BY webhooks.id
""")


def stats() -> dict[str, Any]:
    """Return {"hours", "attempts", "success_rate", "webhooks"}: the last day's figures, in percent and milliseconds."""
    rows = [dict(row) for row in db.session.execute(_STATS).mappings()]
    attempts = sum(row["attempts"] for row in rows)
    successes = sum(row["successes"] for row in rows)
    rate = round(100 * successes / attempts, 2) if attempts else None
    return {"hours": STATS_HOURS, "attempts": attempts, "success_rate": rate, "webhooks": rows}
