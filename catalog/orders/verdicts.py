"""What becomes of an order, by what is known of its items. Pure."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from catalog.orders import backoff, content
from catalog.orders.enrichment import CATALOG, Answer
from catalog.orders.models import FAILED, PROCESSED, QUEUED, Order, as_kept
from catalog.products import service as products

NAMED = 5  # SKUs in an error


@dataclass(frozen=True)
class Verdict:
    """The order's next `status`; `due_in` are the seconds until the next attempt of one that is queued again."""

    id: int
    status: str
    items: list[dict[str, Any]]
    total: Decimal | None = None
    error: str | None = None
    due_in: float | None = None

    def row(self) -> dict[str, Any]:
        """Return it as JSON for the database, money as text."""
        total = None if self.total is None else content.money(self.total)
        return {**vars(self), "items": as_kept(self.items), "total": total}

    def units(self) -> dict[uuid.UUID, int]:
        """Return how many units of which of our products a processed order takes."""
        units: Counter[uuid.UUID] = Counter()
        for item in self.items if self.status == PROCESSED else ():
            if item["product"] and item["product"]["source"] == CATALOG:
                units[uuid.UUID(item["product"]["id"])] += item["quantity"]
        return dict(units)

    def lacking(self, shortages: Sequence[products.Shortage], plain: list[dict[str, Any]]) -> "Verdict":
        """Return it as failed for want of stock, with its items as they were, unless nothing is lacking."""
        if not shortages:
            return self
        skus = {item["product"]["id"]: item["sku"] for item in self.items if item["product"]}
        lacks = [f"{skus[str(each.product_id)]} ({each.wanted} wanted, {each.available} there)" for each in shortages]
        return replace(self, status=FAILED, items=plain, total=None, error=f"Not enough in stock: {_some(lacks)}.")


def judge(order: Order, answer: Answer, optional: bool, age: float) -> Verdict:
    """Return what becomes of an order. `age` is in seconds since it was queued; `optional` lets unknown SKUs pass."""
    skus = list(dict.fromkeys(item["sku"] for item in order.items))
    waiting = [sku for sku in skus if sku in answer.unreachable]
    if waiting:
        reason = f"{_some(waiting)}: {answer.unreachable[waiting[0]]}."
        pause = backoff.pause(order.attempts, age)
        if pause is not None:
            return Verdict(order.id, QUEUED, order.items, error=reason, due_in=pause)
        if not optional:
            return Verdict(order.id, FAILED, order.items, error=f"Given up after a day. {reason}")
    unknown = [sku for sku in skus if sku not in answer.known]
    if unknown and not optional:
        return Verdict(order.id, FAILED, order.items, error=f"Nobody knows {_some(unknown)}.")
    items = [_enriched(item, answer) for item in order.items]
    return Verdict(order.id, PROCESSED, items, total=content.total(items))


def postponed(order: Order, age: float, reason: str) -> Verdict:
    """Return an order to the queue, or fail it when a day is over."""
    pause = backoff.pause(order.attempts, age)
    status = FAILED if pause is None else QUEUED
    return Verdict(order.id, status, order.items, error=reason, due_in=pause)


def _enriched(item: dict[str, Any], answer: Answer) -> dict[str, Any]:
    return {**item, "line_total": content.line_total(item), "product": answer.known.get(item["sku"])}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
