"""The rules of orders: taken in once, found again, retried; processing.py has what is done with them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from catalog import pagination, replica
from catalog.audit import service as audit
from catalog.database import after_commit, transaction
from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.orders import bell, intake, processing
from catalog.orders.content import Content
from catalog.orders.models import FAILED, QUEUED, Order, customer_key

MAX_BIGINT = 2**63 - 1

_IS_DUE = text("SELECT EXISTS (SELECT FROM orders WHERE due_at <= clock_timestamp())")


def submit(order: Content) -> Order:
    """Keep an order, for a loaded OrderSubmitSchema, and ring for it; the same content again is the same order.

    Raises Conflict, which names the differences, where an order with this id and other content is kept.
    """
    (outcome,) = intake.take_in_each([intake.Asked(order, audit.who())])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def submit_many(orders: Sequence[Content]) -> list[Order | Exception]:
    """Keep orders in one transaction; return each as it is kept, or why it cannot be: a Conflict, say."""
    by = audit.who()
    return intake.take_in_each([intake.Asked(order, by) for order in orders])


def get(order_id: int) -> Order:
    """Return an order as PostgreSQL has it now. Raises NotFound."""
    order = db.session.get(Order, order_id, populate_existing=True) if order_id <= MAX_BIGINT else None
    return _found(order)


@replica.reads
def page(session: Session, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of orders, the latest first, for a loaded OrderQuerySchema.

    The page is {"items", "total", "limit", "offset", "has_more", "next_cursor"}; the cursor is its last number.
    """
    filtered = select(Order).where(*_conditions(query))
    total = session.scalar(filtered.with_only_columns(func.count(Order.id))) or 0
    offset = query.get("offset", 0)
    start = filtered.where(Order.number < query["cursor"]) if "cursor" in query else filtered.offset(offset)
    found = pagination.fetch(
        session,
        start.order_by(Order.number.desc()),
        [Order.items, Order.error],
        lambda columns: [columns.number.desc()],
        query["limit"],
        may_cut=not pagination.is_by_offset(query),
    )
    items = [row[0] for row in found.rows]
    place = {"limit": query["limit"], "offset": offset, "has_more": found.has_more}
    return {"items": items, "total": total, **place, "next_cursor": items[-1].number if found.has_more else None}


def retry(order_id: int) -> Order:
    """Queue a failed order anew, or try one that waits for its next attempt at once; return it.

    Raises NotFound, and Conflict for an order that is processed or being processed.
    """
    with transaction() as session:
        statement = select(Order).where(Order.id == min(order_id, MAX_BIGINT)).with_for_update()
        order = _found(session.scalar(statement, execution_options={"populate_existing": True}))
        if order.status not in (FAILED, QUEUED):
            raise Conflict(f"The order is {order.status}; only one that has failed, or waits, can be retried.")
        order.status, order.attempts, order.error = QUEUED, 0, None
        order.due_at = order.queued_at = func.clock_timestamp()  # type: ignore[assignment]
        session.flush()
        audit.record("retry", "order", order.id)
        after_commit(bell.ring)
        return order


def process() -> None:
    """Process what is due; safe to run twice, also at the same time: each order is under the lease of one."""
    bell.hear()
    if processing.drain():
        bell.ring()


def sweep() -> None:
    """Ring for orders that are due: retries, those of a processor that is gone, and those nobody rang for."""
    with transaction() as session:
        is_due = session.scalar(_IS_DUE)
    if is_due:
        bell.ring()


def _conditions(query: dict[str, Any]) -> list[ColumnElement[bool]]:
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "status": lambda value: Order.status == value,
        "customer": lambda value: customer_key(Order.customer) == customer_key(value),
    }
    return [condition(query[name]) for name, condition in conditions.items() if name in query]


def _found(order: Order | None) -> Order:
    if order is None:
        raise NotFound("There is no such order.")
    return order
