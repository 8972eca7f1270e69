"""Applying queued writes: each in one transaction with its own end, so that it is made exactly once.

The writes of one product are made in the order in which they were answered, however many workers there are: one is
taken only when no earlier one of its product is queued.
"""

import logging
import time
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import aliased

from catalog import jobqueue, replica
from catalog.audit import service as audit
from catalog.database import transaction
from catalog.errors import CatalogError, as_catalog_error
from catalog.products import service, writes
from catalog.products.models import ProductWrite

log = logging.getLogger(__name__)

SHARE_SECONDS = 5.0  # of one job, so that the queue's other jobs get their turn
LINGER_SECONDS = 0.05
MOST_ATTEMPTS = 8
LONGEST_PAUSE = timedelta(minutes=1)
TURNS = 3


def drain() -> None:
    """Apply what is queued and what comes meanwhile; after its share of the time, ring for another job to go on.

    It lingers, since a worker that is awake costs less than one that is woken. Then the bell may be rung again, and
    a last look finds what was committed before that.
    """
    ends = time.monotonic() + SHARE_SECONDS
    while _apply_until(ends):
        time.sleep(LINGER_SECONDS)
    jobqueue.hear(writes.JOB)
    _apply_until(ends)
    if time.monotonic() >= ends:
        writes.ring()


def _apply_until(ends: float) -> bool:
    """Tell whether there was anything to apply, in the time that was left."""
    applied = 0
    while time.monotonic() < ends and apply_next():
        applied += 1
    return applied > 0


def apply_now(write_id: uuid.UUID, product_id: uuid.UUID) -> ProductWrite:
    """Apply a product's queued writes up to this one, without the queue, and return it as it is then."""
    for _ in range(TURNS):  # a worker may hold the first of them, and then it is not seen who comes next
        while apply_next(product_id):
            pass
        write = writes.statuses([write_id])[write_id]
        if write.state != "queued":
            break
    return write


def apply_next(product_id: uuid.UUID | None = None) -> bool:
    """Apply the next write that nobody else is at, or the next of one product; tell whether there was one.

    What cannot be made fails for good. What merely did not work is put off, and fails after MOST_ATTEMPTS.
    """
    taken: uuid.UUID | None = None
    try:
        with transaction() as session:
            # What a crash of PostgreSQL undoes here is queued again with it, so nobody waits for the disk.
            session.execute(text("SET LOCAL synchronous_commit = off"))
            write = session.scalar(_next(product_id), execution_options={"populate_existing": True})
            if write is None:
                return False
            taken = write.id
            _settle(write)
    except Exception as error:
        if taken is None:
            raise
        _put_off(taken, as_catalog_error(error))
    return True


def _next(product_id: uuid.UUID | None) -> Select[ProductWrite]:
    earlier = aliased(ProductWrite)
    in_front = select(earlier.id).where(
        earlier.product_id == ProductWrite.product_id,
        earlier.state == "queued",
        earlier.number < ProductWrite.number,
    )
    due = select(ProductWrite).where(
        ProductWrite.state == "queued", ProductWrite.due_at <= func.now(), ~in_front.exists()
    )
    if product_id is not None:
        return due.where(ProductWrite.product_id == product_id).with_for_update()
    return due.order_by(ProductWrite.number).limit(1).with_for_update(skip_locked=True, of=ProductWrite)


def _settle(write: ProductWrite) -> None:
    try:
        _make(write)
    except CatalogError as refusal:
        writes.fail(write, refusal)
    else:
        write.state, write.finished_at = "done", func.clock_timestamp()
        write.code = write.error = write.errors = None


def _make(write: ProductWrite) -> None:
    fields = {name: _exact(value) for name, value in write.fields.items()}
    with audit.acting_as(write.asked_by):
        if write.kind == "create":
            service.create({"id": write.product_id, **fields})
        else:
            service.update(write.product_id, fields)
    replica.wrote(write.asked_by)


def _exact(value: Any) -> Any:
    """Convert a float by its shortest text, which has all digits that a column can store."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _put_off(write_id: uuid.UUID, error: CatalogError) -> None:
    """Let a write wait that did not work; the commit may have been made all the same, so look again."""
    with transaction() as session:
        write = session.get(ProductWrite, write_id, with_for_update=True, populate_existing=True)
        if write is None or write.state != "queued":
            return
        write.attempts += 1
        if write.attempts >= MOST_ATTEMPTS:
            writes.fail(write, error)
            return
        log.warning("The write %s is put off for the %d. time: %s", write_id, write.attempts, error.detail)
        writes.note(write, error)
        write.due_at = func.now() + min(timedelta(seconds=2**write.attempts), LONGEST_PAUSE)
