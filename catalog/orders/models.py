"""The table of orders. An order is a document: its items are read and written with it, never apart from it."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    TypeDecorator,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

TIME = DateTime(timezone=True)
QUEUED, PROCESSING, PROCESSED, FAILED = STATUSES = ("queued", "processing", "processed", "failed")
MONEY = ("unit_price", "line_total")


class Items(TypeDecorator[list[dict[str, Any]]]):
    """A list of items as JSON, their money as text, so that no reader makes a binary fraction of it."""

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """Return the items as they are kept."""
        return value if value is None else as_kept(value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Return the items with their money as Decimal."""
        return value if value is None else [_each_money(item, Decimal) for item in value]


def as_kept(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items as the database keeps them: money as text."""
    return [_each_money(item, str) for item in items]


def _each_money(item: dict[str, Any], convert: Any) -> dict[str, Any]:
    return {name: convert(value) if name in MONEY else value for name, value in item.items()}


class Order(Base):
    """One order. `id` is the client's and identifies it; `number` is ours, in the order of arrival.

    `due_at` is when a processor may take it: at once, after a pause, or when the lease of the one at work has run
    out; NULL when nothing is left to do. `queued_at` is when it was submitted, or retried by hand. `asked_by` is who
    submitted it, until the first processor has written that into the audit.
    """

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    customer: Mapped[str] = mapped_column(String(255))
    items: Mapped[list[dict[str, Any]]] = mapped_column(Items)
    submitted_at: Mapped[datetime] = mapped_column(TIME)
    hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(10), server_default=text("'queued'"))
    total: Mapped[Decimal | None] = mapped_column(Numeric(15, 4))
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    due_at: Mapped[datetime | None] = mapped_column(TIME, server_default=func.now())
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    asked_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    queued_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    processed_at: Mapped[datetime | None] = mapped_column(TIME)

    __mapper_args__ = {"eager_defaults": True}

    @property
    def content(self) -> dict[str, Any]:
        """Return what the client submitted, beside what is known of its items by now."""
        return {"id": self.id, "customer": self.customer, "items": self.items, "submitted_at": self.submitted_at}

    @property
    def next_attempt_at(self) -> datetime | None:
        """Return when an order that could not be processed is tried again."""
        return self.due_at if self.status == QUEUED and self.attempts else None


def customer_key(customer: Any) -> ColumnElement[str]:
    """Return what makes two customers the same: the database's lower case, compared byte by byte."""
    return func.lower(customer).collate("C")


_CHECKS = {
    "id": "id > 0",
    "customer": "btrim(customer) <> ''",
    "items": "jsonb_typeof(items) = 'array' AND jsonb_array_length(items) BETWEEN 1 AND 200",
    "hash": "length(hash) = 64",
    "status": "status IN ('queued', 'processing', 'processed', 'failed')",
    "total": "total >= 0",
    # State, total and time go together, or not at all.
    "processed": "(status = 'processed') = (total IS NOT NULL) AND (status = 'processed') = (processed_at IS NOT NULL)",
    "lease": "(status = 'processing') = (lease_token IS NOT NULL)",
    "due_at": "(status IN ('queued', 'processing')) = (due_at IS NOT NULL)",
}
for _name, _rule in _CHECKS.items():
    Order.__table__.append_constraint(CheckConstraint(_rule, name=_name))  # type: ignore[attr-defined]

Index("uq_orders_number", Order.number, unique=True)
Index("ix_orders_customer", customer_key(Order.customer), Order.number)
Index("ix_orders_unprocessed", Order.status, Order.number, postgresql_where=text("status <> 'processed'"))
Index("ix_orders_due", Order.due_at, postgresql_where=text("due_at IS NOT NULL"))
