"""Sending past events again, with their old ids: asked for once, queued in chunks by a job."""

import logging
import uuid
from typing import Any

from sqlalchemy import func, select, text

from catalog import jobqueue
from catalog.audit import service as audit
from catalog.database import after_commit, transaction
from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.webhooks import service
from catalog.webhooks.events import EVENTS, matching
from catalog.webhooks.models import Replay, Webhook

log = logging.getLogger(__name__)

JOB = "catalog.webhooks.jobs.replay"
CHUNK = 1_000
COUNTED_UP_TO = 10_000
LEFT_BEHIND = text("interval '15 seconds'")


def request(webhook_id: uuid.UUID, filters: dict[str, Any]) -> Replay:
    """Record that a webhook is to get past events again, and ring for it.

    `filters` may hold `since`, `until`, `event` and `status`: with a status only deliveries that ended so are sent
    again, without one all events that the webhook subscribed to, also those it was never sent.
    Raises NotFound, and Conflict for a webhook that is switched off.
    """
    with transaction() as session:
        if not service.get(webhook_id).is_active:
            raise Conflict("The webhook is switched off.")
        replay = Replay(webhook_id=webhook_id, **{"until": func.now(), **filters})
        session.add(replay)
        session.flush()
        audit.record("replay", "webhook", webhook_id, after={"replay_id": replay.id, **filters})
        jobqueue.enqueue(JOB, str(replay.id), queue_name="default")
        return replay


def count(webhook_id: uuid.UUID, filters: dict[str, Any]) -> int:
    """Return how many deliveries `request()` would queue, counted to COUNTED_UP_TO and one more. Raises NotFound."""
    webhook = service.get(webhook_id)
    names = _names(filters.get("event"), webhook.events)
    values = {"since": None, "until": None, "status": None, **filters, "webhook_id": webhook_id, "names": names}
    return db.session.scalar(_COUNT_ENDED if values["status"] else _COUNT_ALL, values) or 0


def status(replay_id: uuid.UUID) -> Replay:
    """Return how far a replay is. Raises NotFound."""
    replay = db.session.get(Replay, replay_id)
    if replay is None:
        raise NotFound("There is no such replay.")
    return replay


def run(replay_id: uuid.UUID) -> None:
    """Queue chunk by chunk; each is a transaction with its cursor, so a killed job goes on where it was."""
    while _queue_chunk(replay_id):
        pass


_WANTED = """
    name = ANY(:names) AND NOT is_test
    AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR created_at <= :until)
"""
_COUNT_ALL = text(f"""
    SELECT count(*) FROM (SELECT FROM webhook_events WHERE {_WANTED} LIMIT {COUNTED_UP_TO + 1}) AS counted
""")
_COUNT_ENDED = text(f"""
    SELECT count(*) FROM (
        SELECT FROM webhook_deliveries JOIN webhook_events ON webhook_events.id = event_id
        WHERE webhook_id = :webhook_id AND status = :status AND {_WANTED} LIMIT {COUNTED_UP_TO + 1}
    ) AS counted
""")
_EVENTS = text("""
    SELECT id FROM webhook_events
    WHERE id > coalesce(
            CAST(:cursor AS uuid),
            uuidv7(greatest(CAST(:since AS timestamptz) - now() - interval '1 second', interval '-1000 days')),
            '00000000-0000-0000-0000-000000000000'
        )
        AND created_at <= :until AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
        AND name = ANY(:names) AND NOT is_test
    ORDER BY id LIMIT :limit
""")
_AGAIN = """
    status = 'pending', attempts = 0, queued_at = now(), due_at = now(), finished_at = NULL
"""
_QUEUE_ENDED = text(f"""
    UPDATE webhook_deliveries SET {_AGAIN}
    WHERE webhook_id = :webhook_id AND event_id = ANY(CAST(:ids AS uuid[])) AND status = :status
""")
_QUEUE_ALL = text(f"""
    INSERT INTO webhook_deliveries AS delivery (webhook_id, event_id)
    SELECT :webhook_id, id FROM unnest(CAST(:ids AS uuid[])) AS id
    ON CONFLICT (webhook_id, event_id) DO UPDATE SET {_AGAIN} WHERE delivery.status <> 'pending'
""")


def _queue_chunk(replay_id: uuid.UUID) -> bool:
    with transaction() as session:
        replay = session.get(Replay, replay_id, with_for_update=True, populate_existing=True)
        if replay is None or replay.state == "completed":
            return False
        webhook = session.get(Webhook, replay.webhook_id)
        found = session.scalars(_EVENTS, _chunk(replay, webhook.events if webhook else [])).all()
        if found:
            values = {"webhook_id": replay.webhook_id, "ids": list(map(str, found)), "status": replay.status}
            queued = session.execute(_QUEUE_ENDED if replay.status else _QUEUE_ALL, values)
            replay.queued += queued.rowcount  # type: ignore[attr-defined]
            replay.cursor = found[-1]
            after_commit(service.ring)
        replay.state = "pending" if len(found) == CHUNK else "completed"
        replay.updated_at = func.now()
        return len(found) == CHUNK


def _chunk(replay: Replay, subscriptions: list[str]) -> dict[str, Any]:
    return {
        "cursor": replay.cursor,
        "since": replay.since,
        "until": replay.until,
        "names": _names(replay.event, subscriptions),
        "limit": CHUNK,
    }


def _names(event: str | None, subscriptions: list[str]) -> list[str]:
    return [name for name in ([event] if event else EVENTS) if set(matching(name)) & set(subscriptions)]


def sweep() -> None:
    """Ring again for replays that nobody has moved for a while."""
    with transaction() as session:
        quiet = session.scalars(
            select(Replay.id).where(Replay.state == "pending", Replay.updated_at < func.now() - LEFT_BEHIND)
        ).all()
    for replay_id in quiet:
        log.warning("Ringing again for the replay %s", replay_id)
        jobqueue.ring(JOB, str(replay_id), queue_name="default")
