"""Writes that are answered before they are made: one row, committed, and a bell.

The row is what nothing can lose. Only where the queue cannot be told of it the write is made at once.
"""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, insert, literal, select, union
from sqlalchemy.dialects.postgresql import JSONB

from catalog.audit import service as audit
from catalog.database import after_commit, execute_alone, in_transaction
from catalog.products import applying, service, writes
from catalog.products.models import Product, ProductWrite

_WRITES: Any = ProductWrite.__table__
_ROW = (_WRITES.c.id, _WRITES.c.product_id)
_CREATE = (
    insert(_WRITES).values(kind="create", fields=bindparam("fields"), asked_by=bindparam("asked_by")).returning(*_ROW)
)


@dataclass(frozen=True)
class Answer:
    """The answer to a write: `job_id` says where to watch, `product_id` the UUID of the product, or its future one."""

    success: bool
    message: str
    job_id: uuid.UUID | None = None
    product_id: uuid.UUID | None = None


def create(fields: dict[str, Any]) -> Answer:
    """Queue the creation of a product from the fields that `service.create()` takes."""
    row = execute_alone(_CREATE, {"fields": _plain(fields), "asked_by": audit.who()})
    return _answer(row, f"Product {fields['name']!r}", "creation", "created")


def update(reference: str, changes: dict[str, Any]) -> Answer:
    """Queue a change of a product, by its number or its UUID, which a product has that is itself still queued.

    Without such a product the answer is no success.
    """
    values = [literal(value, JSONB) for value in (_plain(changes), audit.who())]
    row_of = select(_targets(reference).subquery().c.id, literal("update"), *values)
    names = ["product_id", "kind", "fields", "asked_by"]
    row = execute_alone(insert(_WRITES).from_select(names, row_of).returning(*_ROW))
    if row is None:
        return Answer(False, f"There is no product {reference}")
    return _answer(row, f"Product {reference}", "update", "updated")


def _answer(row: Any, product: str, noun: str, done: str) -> Answer:
    if in_transaction():
        after_commit(writes.ring)  # once more: a worker that comes now would not see the row yet
    if writes.ring():
        return Answer(True, f"{product} queued for {noun}", *row)
    write = applying.apply_now(*row)
    if write.state == "failed":
        return Answer(False, f"{product} not {done}: {write.error}", *row)
    if write.state == "done":
        return Answer(True, f"{product} {done} at once: the queue is not reachable", *row)
    return Answer(True, f"{product} queued for {noun}; the queue is not reachable", *row)


def _targets(reference: str) -> Any:
    """Return the query for the id of the product meant, or of one that waits to be created."""
    present = select(Product.id.label("id")).where(service.refers(reference))
    try:
        identity = uuid.UUID(reference)
    except ValueError:
        return present
    promised = select(ProductWrite.product_id).where(
        ProductWrite.product_id == identity, ProductWrite.kind == "create", ProductWrite.state == "queued"
    )
    return union(present, promised)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
