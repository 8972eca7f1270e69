"""Queued writes: looked at, repeated, given up, forgotten. queueing.py takes them in, applying.py makes them."""

import logging
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import func, select, text, update

from catalog import jobqueue, pagination
from catalog.audit import service as audit
from catalog.database import after_commit, delete_in_batches, transaction
from catalog.errors import CatalogError, Conflict, NotFound
from catalog.extensions import db
from catalog.products.models import ProductWrite
from catalog.webhooks import service as webhooks

log = logging.getLogger(__name__)

JOB = "catalog.products.jobs.apply_writes"
LEFT_BEHIND = timedelta(seconds=2)
BATCH = 1_000
MOST_BATCHES = 20  # in one sweep, so that the clock's others are not held up


class Cancelled(CatalogError):
    """What a write fails with that was called off before it was made."""

    status, code = 409, "cancelled"


def ring() -> bool:
    """Have a worker apply what is queued; tell whether the queue is reachable."""
    return jobqueue.ring_once(JOB, queue_name="default")


def page(state: str | None, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of writes, the latest first: items, total, limit, offset, has_more. Raises PageTooLarge."""
    wanted = select(ProductWrite)
    if state is not None:
        wanted = wanted.where(ProductWrite.state == state)
    total = db.session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    found = pagination.fetch(
        db.session(),
        wanted.order_by(ProductWrite.number.desc()).offset(offset),
        [ProductWrite.fields, ProductWrite.errors],
        lambda columns: [columns.number.desc()],
        limit,
        may_cut=False,
    )
    return pagination.offset_page([row[0] for row in found.rows], total, limit, offset)


def statuses(write_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ProductWrite]:
    """Return these writes as they are now, without those that there are not."""
    statement = select(ProductWrite).where(ProductWrite.id.in_(write_ids))
    return {write.id: write for write in db.session.scalars(statement, execution_options={"populate_existing": True})}


def retry(write_id: uuid.UUID) -> None:
    """Queue a failed write again, behind what was queued since. Raises NotFound, and Conflict if it did not fail."""
    with transaction() as session:
        write = _locked(write_id)
        if write.state != "failed":
            raise Conflict(f"Only a write that failed can be made again; this one is {write.state}.")
        fresh = {"state": "queued", "attempts": 0, "due_at": func.now(), "number": text("DEFAULT")}
        blank = dict.fromkeys(("code", "error", "errors", "finished_at"))
        session.execute(update(ProductWrite).where(ProductWrite.id == write_id).values(**fresh, **blank))
        audit.record("retry", "product_write", write_id)
        after_commit(ring)


def cancel(write_id: uuid.UUID) -> None:
    """Call a queued write off; it has then failed. Raises NotFound, and Conflict if it has ended."""
    with transaction():
        write = _locked(write_id)
        if write.state != "queued":
            raise Conflict(f"The write has ended already: it is {write.state}.")
        fail(write, Cancelled("Cancelled"))
        audit.record("cancel", "product_write", write_id)


def _locked(write_id: uuid.UUID) -> ProductWrite:
    write = db.session.get(ProductWrite, write_id, with_for_update=True, populate_existing=True)
    if write is None:
        raise NotFound("There is no such write.")
    return write


def fail(write: ProductWrite, error: CatalogError) -> None:
    """Record in the current transaction that a write will not be made, and tell of it."""
    write.state, write.finished_at = "failed", func.clock_timestamp()
    note(write, error)
    about = {"job_id": write.id, "kind": write.kind, "product_id": write.product_id}
    why = {"code": error.code, "error": error.detail, "errors": error.errors}
    webhooks.publish("product.write_failed", {**about, **why})


def note(write: ProductWrite, error: CatalogError) -> None:
    """Write down what went wrong the last time."""
    write.code, write.error, write.errors = error.code, error.detail, error.errors or None


def sweep() -> None:
    """Ring for writes that have been due for a while."""
    waiting = select(ProductWrite.id).where(
        ProductWrite.state == "queued", ProductWrite.due_at < func.now() - LEFT_BEHIND
    )
    with transaction() as session:
        left_behind = session.scalar(waiting.limit(1)) is not None
    if left_behind and not ring():
        log.warning("Writes are queued, and the queue is not reachable")


# Ids are in the order of time, so what is old is at the start of the primary key.
_PRUNE = text(f"""
    DELETE FROM product_writes WHERE id = ANY(ARRAY(
        SELECT id FROM product_writes
        WHERE id < uuidv7(make_interval(days => -:days)) AND state <> 'queued'
            AND finished_at < now() - make_interval(days => :days)
        ORDER BY id LIMIT {BATCH}
    ))
""")


def prune() -> int:
    """Delete writes that ended more than RETENTION_DAYS ago, in batches; return how many."""
    return delete_in_batches(_PRUNE, {"days": current_app.config["RETENTION_DAYS"]}, BATCH, MOST_BATCHES)
