"""Taking orders in: one statement writes many, and tells the new from those that are there already."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from catalog.audit import service as audit
from catalog.database import after_commit, transaction
from catalog.errors import Conflict
from catalog.orders import bell, content
from catalog.orders.content import Content
from catalog.orders.models import QUEUED, Order

Outcome = Order | Exception

INSERT = """
    INSERT INTO orders (id, customer, items, submitted_at, hash, asked_by)
    SELECT id, customer, items, submitted_at, hash, asked_by FROM jsonb_to_recordset(CAST(%(rows)s AS jsonb))
        AS row (id bigint, customer text, items jsonb, submitted_at timestamptz, hash text, asked_by jsonb)
    ON CONFLICT (id) DO NOTHING RETURNING id, created_at
"""


class Asked(NamedTuple):
    """An order as it was read, and who submits it."""

    content: Content
    who: audit.Who


@dataclass(frozen=True, slots=True)
class Given:
    """An order as it is given, with its hash, and the row that INSERT takes: the canonical form is what is kept."""

    content: Content
    hash: str
    row: str

    @classmethod
    def of(cls, asked: Asked) -> "Given":
        """Return an order with what is made of it once."""
        canonical = content.canonical(asked.content)
        digest = hashlib.sha256(canonical).hexdigest()
        who = json.dumps(asked.who)
        return cls(asked.content, digest, f'{canonical.decode()[:-1]},"hash":"{digest}","asked_by":{who}}}')


def take_in(asked: Sequence[Asked]) -> list[Outcome]:
    """Keep the orders that are not kept yet, in one transaction, and ring for them after its commit.

    Returns for each the order that is kept, or the Conflict with the one that is.
    """
    orders = [Given.of(each) for each in asked]
    with transaction() as session:
        new = _insert(session, orders)
        others = [each.content["id"] for each in orders if each.content["id"] not in new]
        known = {**(_kept(session, others) if others else {}), **new}
        if new:
            after_commit(bell.ring)
    return [_outcome(order, known[order.content["id"]]) for order in orders]


def take_in_each(asked: Sequence[Asked]) -> list[Outcome]:
    """Store orders; return an order's error in its place, without failing the others.

    Raises what PostgreSQL raises when it does not answer: then nothing is kept.
    """
    try:
        return take_in(asked)
    except (OperationalError, PoolTimeout):
        raise
    except Exception as error:
        return [error] if len(asked) == 1 else [take_in_each([each])[0] for each in asked]


def firsts(orders: Sequence[Given]) -> dict[int, Given]:
    """Return the first order of each id, in the order of ids: two that insert the same cannot block each other then."""
    given = {order.content["id"]: order for order in reversed(orders)}
    return {order_id: given[order_id] for order_id in sorted(given)}


def rows(given: dict[int, Given]) -> str:
    """Return the rows that INSERT takes."""
    return f"[{','.join(order.row for order in given.values())}]"


def _insert(session: Session, orders: Sequence[Given]) -> dict[int, Order]:
    given = firsts(orders)
    inserted = session.connection().exec_driver_sql(INSERT, {"rows": rows(given)})
    return {order_id: _queued(given[order_id], created_at) for order_id, created_at in inserted}


def _queued(given: Given, created_at: Any) -> Order:
    return Order(**given.content, hash=given.hash, status=QUEUED, attempts=0, created_at=created_at)


def _kept(session: Session, order_ids: Sequence[int]) -> dict[int, Order]:
    statement = select(Order).where(Order.id.in_(order_ids)).execution_options(populate_existing=True)
    return {order.id: order for order in session.scalars(statement)}


def _outcome(given: Given, kept: Order) -> Outcome:
    if kept.hash == given.hash:
        return kept
    differences = content.differences(kept.content, given.content)
    return Conflict(f"There is an order {kept.id} already, with other content.", errors=differences)
