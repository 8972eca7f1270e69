"""Processing orders in batches: claimed under a lease, looked up in no transaction, settled in one.

What becomes of an order, its total, its stock and its event are one commit. A processor that is killed settles nothing,
and its lease ends; one that was only slow finds its lease gone, and settles nothing either.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from catalog.audit import service as audit
from catalog.database import transaction
from catalog.orders import enrichment
from catalog.orders.models import FAILED, PROCESSED, Order
from catalog.orders.schemas import OrderSchema
from catalog.orders.verdicts import Verdict, judge, postponed
from catalog.products import service as products
from catalog.webhooks import service as webhooks

log = logging.getLogger(__name__)

BATCH = 200
LEASE_SECONDS = 15  # enrichment.LOOKUP_SECONDS and ample time to settle
DRAIN_SECONDS = 30  # then another job goes on, so that no job lives long
EVENTS = {PROCESSED: "order.processed", FAILED: "order.failed"}

_shown = OrderSchema()

_NOTED = """
    SELECT asked_by AS who, 'create' AS action, 'order' AS entity, CAST(id AS text) AS entity_id, created_at,
        CAST(NULL AS jsonb) AS before, jsonb_build_object('hash', hash) AS after
    FROM due WHERE asked_by IS NOT NULL"""
_CLAIM = text(f"""
    WITH due AS MATERIALIZED (
        SELECT id, hash, created_at, asked_by FROM orders WHERE due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED
    ), noted AS ({audit.inserting(_NOTED, at="created_at")})
    UPDATE orders SET status = 'processing', lease_token = :token, attempts = attempts + 1,
        due_at = clock_timestamp() + make_interval(secs => :lease), asked_by = NULL
    FROM due WHERE orders.id = due.id RETURNING orders.*
""")
_HOLD = text("SELECT id FROM orders WHERE id = ANY(:ids) AND lease_token = :token ORDER BY id FOR UPDATE")
_SETTLE = text("""
    UPDATE orders SET status = verdict.status, items = verdict.items, total = verdict.total, error = verdict.error,
        lease_token = NULL, due_at = clock_timestamp() + make_interval(secs => verdict.due_in),
        processed_at = CASE verdict.status WHEN 'processed' THEN clock_timestamp() END
    FROM jsonb_to_recordset(CAST(:verdicts AS jsonb))
        AS verdict (id bigint, status text, items jsonb, total numeric, error text, due_in float8)
    WHERE orders.id = verdict.id RETURNING orders.*
""")
_TOLD = "SELECT value AS data FROM json_array_elements(CAST(:orders AS json)) AS value"


def drain() -> bool:
    """Process what is due until nothing is, or for half a minute; return whether there may be more."""
    end = time.monotonic() + DRAIN_SECONDS
    while batch := _Batch.claim():
        batch.process()
        if time.monotonic() > end:
            return True
    return False


class _Batch:
    """Orders that this processor holds a lease on."""

    def __init__(self, token: uuid.UUID, orders: Sequence[Order]):
        self.token, self.orders = token, orders

    @classmethod
    def claim(cls) -> "_Batch | None":
        """Take the orders that are due, those that have waited longest first."""
        token = uuid.uuid4()
        with transaction() as session:
            values = {"token": token, "batch": BATCH, "lease": LEASE_SECONDS}
            orders = _rows(session, _CLAIM, values)
            session.expunge_all()  # from here on they are what was claimed, whatever becomes of the rows
        return cls(token, orders) if orders else None

    def process(self) -> None:
        """Look up, judge and settle; an order that makes this fail is postponed, and does not hold up the others."""
        try:
            self._settle(self._judged())
        except (OperationalError, PoolTimeout):
            raise  # the database, not an order; the leases end by themselves
        except Exception:
            log.exception("Orders %s could not be processed", [order.id for order in self.orders])
            self._one_by_one()

    def _one_by_one(self) -> None:
        if len(self.orders) > 1:
            for order in self.orders:
                _Batch(self.token, [order]).process()
            return
        (order,) = self.orders
        self._settle([postponed(order, _age(order), "Something went wrong on our side; the log says what.")])

    def _judged(self) -> list[Verdict]:
        answer = enrichment.look_up({item["sku"] for order in self.orders for item in order.items})
        optional = current_app.config["ORDER_ENRICHMENT"] == "optional"
        return [judge(order, answer, optional, _age(order)) for order in self.orders]

    def _settle(self, verdicts: Sequence[Verdict]) -> None:
        """Write down what became of the orders whose lease still holds, and tell of it."""
        with transaction() as session:
            ids = [verdict.id for verdict in verdicts]
            held = set(session.scalars(_HOLD, {"ids": ids, "token": self.token}))
            ours = [verdict for verdict in verdicts if verdict.id in held]
            if current_app.config["ORDER_RESERVE_STOCK"]:
                ours = self._reserved(ours)
            rows = current_app.json.dumps([verdict.row() for verdict in ours])
            _tell(session, _rows(session, _SETTLE, {"verdicts": rows}))

    def _reserved(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        plain = {order.id: order.items for order in self.orders}
        shortages = products.reserve_stock([verdict.units() for verdict in verdicts])
        return [verdict.lacking(lacked, plain[verdict.id]) for verdict, lacked in zip(verdicts, shortages, strict=True)]


def _rows(session: Session, statement: Any, values: dict[str, Any]) -> list[Order]:
    """Return the orders that a statement returns, as it left them."""
    found = session.scalars(
        select(Order).from_statement(statement), values, execution_options={"populate_existing": True}
    )
    return list(found)


def _tell(session: Session, orders: Sequence[Order]) -> None:
    for status, event in EVENTS.items():
        told = [_shown.dump(order) for order in orders if order.status == status]
        if told:
            webhooks.publish_rows(session, event, _TOLD, {"orders": current_app.json.dumps(told)})


def _age(order: Order) -> float:
    """Return the seconds from queuing to now, by the database's clock: the lease began just now."""
    assert order.due_at
    return (order.due_at - order.queued_at).total_seconds() - LEASE_SECONDS
