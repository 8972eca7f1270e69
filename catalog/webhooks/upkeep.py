"""What the clock does for webhooks: find deliveries that no sender takes, and prune what is old."""

import logging

from flask import current_app
from sqlalchemy import text

from catalog import jobqueue
from catalog.database import delete_in_batches, transaction
from catalog.webhooks import outbox

log = logging.getLogger(__name__)

JOB = "catalog.webhooks.jobs.send"
BATCH = 1_000
MOST_BATCHES = 20  # of each table in one sweep, so that the clock's other sweeps are not held up
EVENTS_LONGER_DAYS = 6  # an event outlives the retries of a delivery that was replayed on its last day

# A dead receiver's backlog waits while a sender runs, too; nobody else could send it faster.
_LEFT_BEHIND = text("""
    SELECT pg_try_advisory_xact_lock(:senders) AND EXISTS (
        SELECT FROM webhooks JOIN webhook_deliveries ON webhook_id = webhooks.id
        WHERE is_active AND status = 'pending' AND due_at < now() - interval '15 seconds'
            AND (lease_until IS NULL OR lease_until < now())
    )
""")


def sweep() -> None:
    """Have a worker send what has been due for a while, where no sender runs."""
    with transaction() as session:
        left_behind = session.scalar(_LEFT_BEHIND, {"senders": outbox.SENDERS})
    if left_behind:
        log.warning("Deliveries are waiting and no sender runs; ringing for a worker")
        jobqueue.ring(JOB, queue_name="default")


# Ids are in the order of time, so what is old is at the start of the primary key.
_PRUNE = {
    "webhook_attempts": (0, "true"),
    "webhook_deliveries": (
        0,
        "queued_at < now() - make_interval(days => :days) AND (status <> 'pending' OR NOT EXISTS"
        " (SELECT FROM webhooks WHERE id = webhook_deliveries.webhook_id AND is_active))",
    ),
    "webhook_events": (EVENTS_LONGER_DAYS, "true"),
    "webhook_replays": (0, "state = 'completed'"),
}


def prune() -> int:
    """Delete what is older than RETENTION_DAYS, in batches that lock few rows for a moment; return how many rows."""
    days = current_app.config["RETENTION_DAYS"]
    return sum(_prune(table, days + longer, condition) for table, (longer, condition) in _PRUNE.items())


def _prune(table: str, days: int, condition: str) -> int:
    statement = text(f"""
        DELETE FROM {table} WHERE id = ANY(ARRAY(
            SELECT id FROM {table} WHERE id < uuidv7(make_interval(days => -:days)) AND {condition}
            ORDER BY id LIMIT {BATCH}
        ))
    """)
    return delete_in_batches(statement, {"days": days}, BATCH, MOST_BATCHES)
