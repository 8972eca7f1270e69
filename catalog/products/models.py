"""The tables of products, their queued writes and bulk deletions; every rule on a column is a constraint too."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    Uuid,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

MAX_INTEGER = 2**31 - 1
MAX_NUMBER = 2**53 - 1  # the largest that every JSON parser reads exactly
PRICE_BELOW = Decimal(10) ** 10
SKU_UNIQUE = "uq_products_sku"

# The columns that clients write, with the types to cast to where rows come in sets, not through the mapper.
COLUMN_TYPES = {
    "sku": "text",
    "name": "text",
    "description": "text",
    "active": "boolean",
    "price": "numeric(12, 2)",
    "stock_quantity": "integer",
    "category": "text",
    "image": "text",
    "rating_rate": "numeric(3, 2)",
    "rating_count": "integer",
}

# SKUs are not in it: each is a word of its own, and has an index of its own.
SEARCH_DOCUMENT = (
    "to_tsvector('simple'::regconfig, name || ' ' || coalesce(description, '') || ' ' || coalesce(category, ''))"
)


class Product(Base):
    """One product. `id` and `number` are made by the database; `version` counts the changes."""

    __tablename__ = "products"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=False, maxvalue=MAX_NUMBER), unique=True)
    sku: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    stock_quantity: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    category: Mapped[str | None] = mapped_column(String(100))
    image: Mapped[str | None] = mapped_column(String(500))
    rating_rate: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    rating_count: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    # Stored, so that a walk along another index need not make it anew for each product on the way.
    # Only for conditions: no product is loaded with it.
    __table_args__ = (Column("search", TSVECTOR, Computed(SEARCH_DOCUMENT, persisted=True)),)

    __mapper_args__ = {"eager_defaults": True, "exclude_properties": ["search"]}

    @property
    def rating(self) -> dict[str, Any] | None:
        """Return {"rate", "count"}, or None for a product that nobody rated."""
        if self.rating_rate is None and self.rating_count is None:
            return None
        return {"rate": self.rating_rate, "count": self.rating_count}


def sku_key(sku: Any) -> ColumnElement[str]:
    """Return what makes two SKUs the same: the database's own lower case, compared byte by byte."""
    return func.lower(sku).collate("C")


def search_document() -> ColumnElement[Any]:
    """Return the full-text document of a product: its name, description and category."""
    return Product.__table__.c.search


def price_key() -> ColumnElement[Decimal]:
    """Return the price to sort by; a product without one sorts as if it were free."""
    return func.coalesce(Product.price, literal_column("0"))


def name_key() -> ColumnElement[str]:
    """Return the name to sort by, without regard to case."""
    return func.lower(Product.name).collate("C")


_CHECKS = {
    "sku": "sku <> '' AND btrim(sku) = sku",
    "name": "btrim(name) <> ''",
    "price": "price > 0 AND price < 'NaN'",
    "stock_quantity": "stock_quantity >= 0",
    "rating_rate": "rating_rate BETWEEN 0 AND 5",
    "rating_count": "rating_count >= 0",
    "version": "version > 0",
}
for _name, _rule in _CHECKS.items():
    Product.__table__.append_constraint(CheckConstraint(_rule, name=_name))  # type: ignore[attr-defined]

Index(SKU_UNIQUE, sku_key(Product.sku), unique=True)
Index("ix_products_active_created_at", Product.active, Product.created_at.desc())
Index("ix_products_name", name_key(), Product.id)
Index("ix_products_category", Product.category, Product.id)
Index("ix_products_price", price_key(), Product.id)
Index("ix_products_search", search_document(), postgresql_using="gin")


class ProductWrite(Base):
    """A write that was answered for before it is made. `id` is the job's, `number` the order in which to apply it.

    The product's id is made with the row, so that however often it is applied there is one product. `fields` are what
    products.service takes, with floats for Decimals.
    """

    __tablename__ = "product_writes"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=False))
    product_id: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=func.uuidv7())
    kind: Mapped[str] = mapped_column(String(20))
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(20), server_default=text("'queued'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    asked_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    code: Mapped[str | None] = mapped_column(String(50))
    error: Mapped[str | None] = mapped_column(Text)
    errors: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("kind IN ('create', 'update')", name="kind"),
        CheckConstraint("state IN ('queued', 'done', 'failed')", name="state"),
        Index("ix_product_writes_state_number", "state", "number"),
        Index("ix_product_writes_product_id_number", "product_id", "number", postgresql_where=text("state = 'queued'")),
    )


class BulkDeletion(Base):
    """A request to delete every product there was when it was made; kept as the record of it."""

    __tablename__ = "bulk_deletions"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    state: Mapped[str] = mapped_column(String(20), server_default=text("'pending'"))
    total: Mapped[int]
    deleted: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)
    asked_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (CheckConstraint("state IN ('pending', 'running', 'completed', 'failed')", name="state"),)
    __mapper_args__ = {"eager_defaults": True}
