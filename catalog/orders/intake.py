"""Taking orders in: one statement writes many, and tells the new from those that are there already.

Requests that come in while another's commit is on its way wait for it and then go together: one transaction, one
flush of the disk, for all of them.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from catalog.database import after_commit, transaction
from catalog.errors import Conflict
from catalog.orders import bell, content
from catalog.orders.content import Content
from catalog.orders.models import QUEUED, Order, as_kept

Outcome = Order | Exception
T = TypeVar("T")

INSERT = """
    INSERT INTO orders (id, customer, items, submitted_at, hash)
    SELECT id, customer, items, submitted_at, hash FROM jsonb_to_recordset(CAST(%(rows)s AS jsonb))
        AS row (id bigint, customer text, items jsonb, submitted_at timestamptz, hash text)
    ON CONFLICT (id) DO NOTHING RETURNING id, created_at
"""


def take_in(contents: Sequence[Content]) -> list[Outcome]:
    """Keep the orders that are not kept yet, in one transaction, and ring for them after its commit.

    Returns for each the order that is kept, or the Conflict with the one that is.
    """
    with transaction() as session:
        hashes = [content.digest(each) for each in contents]
        new = _insert(session, contents, hashes)
        others = [each["id"] for each in contents if each["id"] not in new]
        kept = _kept(session, others) if others else {}
        if new:
            after_commit(bell.ring)
    known = {**kept, **new}
    return [_outcome(each, known[each["id"]], own) for each, own in zip(contents, hashes, strict=True)]


def take_in_each(contents: Sequence[Content]) -> list[Outcome]:
    """The same, but an order that makes it fail does so alone; returns its error in place of the order.

    Raises what PostgreSQL raises when it does not answer: then nothing is kept.
    """
    try:
        return take_in(contents)
    except (OperationalError, PoolTimeout):
        raise
    except Exception as error:
        return [error] if len(contents) == 1 else [take_in_each([each])[0] for each in contents]


def rows(contents: Sequence[Content], hashes: Sequence[str]) -> str:
    """Return the rows that INSERT takes: of each id the first, in the order of ids.

    Two that insert the same ones then cannot block each other.
    """
    given = {each["id"]: (each, own) for each, own in zip(reversed(contents), reversed(hashes), strict=True)}
    return json.dumps([_row(*given[order_id]) for order_id in sorted(given)])


def _insert(session: Session, contents: Sequence[Content], hashes: Sequence[str]) -> dict[int, Order]:
    given = {each["id"]: (each, own) for each, own in zip(reversed(contents), reversed(hashes), strict=True)}
    inserted = session.connection().exec_driver_sql(INSERT, {"rows": rows(contents, hashes)})
    return {order_id: _queued(*given[order_id], created_at) for order_id, created_at in inserted}


def _row(each: Content, own: str) -> dict[str, Any]:
    submitted_at = content.moment(each["submitted_at"])
    return {**each, "items": as_kept(each["items"]), "submitted_at": submitted_at, "hash": own}


def _queued(each: Content, own: str, created_at: Any) -> Order:
    return Order(**each, hash=own, status=QUEUED, attempts=0, created_at=created_at)


def _kept(session: Session, order_ids: Sequence[int]) -> dict[int, Order]:
    statement = select(Order).where(Order.id.in_(order_ids)).execution_options(populate_existing=True)
    return {order.id: order for order in session.scalars(statement)}


def _outcome(given: Content, kept: Order, own: str) -> Outcome:
    if kept.hash == own:
        return kept
    return Conflict(
        f"There is an order {kept.id} already, with other content.", errors=content.differences(kept.content, given)
    )


@dataclass
class _Waiting(Generic[T]):
    content: Content
    outcomes: list[T | Exception] = field(default_factory=list)


class Together(Generic[T]):
    """Hands what several threads submit at the same time to one call: the first to get its turn takes all along."""

    def __init__(self, call: Callable[[Sequence[Content]], Sequence[T]]):
        self._call = call
        self._turn = threading.Lock()
        self._waiting: deque[_Waiting[T]] = deque()

    def submit(self, order: Content) -> T | Exception:
        """Return the outcome of one order, which is an exception where the call as a whole fails."""
        mine: _Waiting[T] = _Waiting(order)
        self._waiting.append(mine)
        with self._turn:
            if not mine.outcomes:
                self._take_turn()
        return mine.outcomes[0]

    def _take_turn(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        outcomes: Sequence[T | Exception]
        try:
            outcomes = self._call([each.content for each in batch])
        except Exception as error:  # raised for each where it was submitted
            outcomes = [error] * len(batch)
        for each, outcome in zip(batch, outcomes, strict=True):
            each.outcomes.append(outcome)


together = Together(take_in_each)
