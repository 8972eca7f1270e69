"""Deleting every product: asked for once, carried out in chunks by a job, watched by its record."""

import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from catalog import jobqueue, replica
from catalog.audit import service as audit
from catalog.cache import invalidate
from catalog.database import transaction
from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.products import events
from catalog.products.models import BulkDeletion, Product
from catalog.tasks import service as tasks
from catalog.webhooks import service as webhooks

log = logging.getLogger(__name__)

JOB = "catalog.products.jobs.delete_all"
CHUNK = 10_000
ENDED = ("completed", "failed")
LEFT_BEHIND = timedelta(seconds=15)


@dataclass(frozen=True)
class Status:
    """How far a bulk deletion is; `percent` runs from 0 to 100."""

    id: uuid.UUID
    state: str
    message: str
    percent: int
    deleted: int
    error: str | None


def request(expected_count: int | None = None) -> BulkDeletion:
    """Record that all present products are to be deleted, and ring for it.

    Raises Conflict when there are more or fewer products than `expected_count`.
    """
    with transaction() as session:
        total = session.scalar(select(func.count()).select_from(Product)) or 0
        if expected_count is not None and expected_count != total:
            raise Conflict(f"There are {total} products, not {expected_count}; nothing was deleted.")
        deletion = BulkDeletion(total=total, asked_by=audit.who())
        session.add(deletion)
        session.flush()
        audit.record("create", "bulk_deletion", deletion.id, after={"total": total})
        jobqueue.enqueue(JOB, str(deletion.id), queue_name="default")
        return deletion


def status(deletion_id: uuid.UUID) -> Status:
    """Return how far a bulk deletion is. Raises NotFound."""
    found = statuses([deletion_id])
    if not found:
        raise NotFound("There is no such bulk deletion.")
    return found[deletion_id]


def statuses(deletion_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Status]:
    """Return how far each of these bulk deletions is, without those that there are not."""
    statement = select(BulkDeletion).where(BulkDeletion.id.in_(deletion_ids))
    found = db.session.scalars(statement, execution_options={"populate_existing": True})
    return {deletion.id: _status(deletion) for deletion in found}


def _status(deletion: BulkDeletion) -> Status:
    ended = deletion.state == "completed"
    percent = 100 if ended else min(99, deletion.deleted * 100 // max(deletion.total, 1))
    message = f"{deletion.deleted} of {deletion.total} products deleted"
    return Status(deletion.id, deletion.state, message, percent, deletion.deleted, deletion.error)


def cancel(deletion_id: uuid.UUID) -> None:
    """Stop a bulk deletion after the chunk at hand; what is deleted by then stays deleted, and is told of.

    Raises NotFound, and Conflict if it has ended.
    """
    with transaction() as session:
        deletion = session.get(BulkDeletion, deletion_id, with_for_update=True, populate_existing=True)
        if deletion is None:
            raise NotFound("There is no such bulk deletion.")
        if deletion.state in ENDED:
            raise Conflict(f"The bulk deletion has ended already: it is {deletion.state}.")
        deletion.state, deletion.error = "failed", "Cancelled"
        deletion.updated_at = func.now()
        audit.record("cancel", "bulk_deletion", deletion.id, after={"deleted": deletion.deleted})
        if deletion.deleted:
            told = {"task_id": deletion.id, "count": deletion.deleted, "cancelled": True}
            webhooks.publish("products.deleted_all", told)


def run(deletion_id: uuid.UUID) -> None:
    """Delete chunk by chunk until nothing is left that was there when it was asked for.

    Each chunk is a transaction with its count: a killed job goes on where it was, and two that run at
    once take turns at the record's lock.
    """
    while _delete_chunk(deletion_id):
        pass


def _delete_chunk(deletion_id: uuid.UUID) -> bool:
    with transaction() as session:
        deletion = session.get(BulkDeletion, deletion_id, with_for_update=True, populate_existing=True)
        if deletion is None or deletion.state in ENDED:
            return False
        gone = _delete_next(session, deletion)
        deletion.deleted += gone
        deletion.state = "running" if gone else "completed"
        deletion.updated_at = func.now()
        if gone:
            invalidate("product:*")
            tasks.let_go_of_products()
        if not gone:
            webhooks.publish("products.deleted_all", {"task_id": deletion.id, "count": deletion.deleted})
            ended = audit.Entry("finish", "bulk_deletion", deletion.id, after={"deleted": deletion.deleted})
            audit.record_in(session, [ended], deletion.asked_by)
            replica.wrote(deletion.asked_by)
        return bool(gone)


# In the order of SKUs, like an import: two that take the same rows then cannot block each other. An array, since
# PostgreSQL may run a subquery after IN again for each row, and so delete more than its LIMIT.
_NEXT = """
    DELETE FROM products WHERE id = ANY(ARRAY(
        SELECT id FROM products WHERE created_at <= :asked_at
        ORDER BY lower(sku) COLLATE "C" LIMIT :chunk FOR UPDATE
    ))"""
_NOTED = f"{_NEXT} RETURNING id::text AS entity_id, {events.as_json('products')} AS before, NULL::jsonb AS after"


def _delete_next(session: Session, deletion: BulkDeletion) -> int:
    values = {"asked_at": deletion.created_at, "chunk": CHUNK}
    if current_app.config["AUDIT_IMPORT_ROWS"]:
        return audit.record_rows(session, "product", _NOTED, values, deletion.asked_by)
    return session.execute(text(_NEXT), values).rowcount  # type: ignore[attr-defined, no-any-return]


def sweep() -> None:
    """Ring again for deletions that nobody has moved for a while, once in that while."""
    with transaction() as session:
        quiet = select(BulkDeletion).where(
            BulkDeletion.state.in_(["pending", "running"]), BulkDeletion.updated_at < func.now() - LEFT_BEHIND
        )
        for deletion in session.scalars(quiet.with_for_update(skip_locked=True)):
            log.warning("Ringing again for the bulk deletion %s", deletion.id)
            deletion.updated_at = func.now()
            jobqueue.enqueue(JOB, str(deletion.id), queue_name="default")
