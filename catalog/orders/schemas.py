"""What the API takes and gives for orders. JSON types are taken at their word: "5" is not 5."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import NOT_BLANK, Integer, Moment, Number, Sku, Text
from catalog.orders import content
from catalog.orders.certain import AHEAD, MAX_ID, MAX_ITEMS, MAX_QUANTITY, PRICE_BELOW, certain
from catalog.orders.models import STATUSES
from catalog.pagination import OffsetPageSchema, offset_field

EXAMPLE = {
    "id": 123,
    "customer": "ACME Corp",
    "items": [{"sku": "P001", "quantity": 3, "unit_price": 10}],
    "submitted_at": "2026-01-05T10:00:00Z",
}
_KNOWN = {
    "source": "catalog",
    "id": "01a1fbf7-541d-7368-acbb-2c2d1bd53bb1",
    "title": "Desk lamp",
    "category": "Lighting",
    "image": None,
    "price": 12.5,
}
_ITEM = {"sku": "P001", "quantity": 3, "unit_price": 10.0, "line_total": None, "product": None}
QUEUED_EXAMPLE = {
    "id": 123,
    "customer": "ACME Corp",
    "status": "queued",
    "items": [_ITEM],
    "total": None,
    "hash": "a7cd39920ae9fecdccd53214d0c939f6f2b9788f6c553b727257bd6db0edebef",
    "submitted_at": "2026-01-05T10:00:00Z",
    "created_at": "2026-01-05T10:00:01.250000Z",
    "processed_at": None,
    "error": None,
    "attempts": 0,
    "next_attempt_at": None,
}
PROCESSED_EXAMPLE = {
    **QUEUED_EXAMPLE,
    "status": "processed",
    "items": [{**_ITEM, "line_total": 30.0, "product": _KNOWN}],
    "total": 30.0,
    "processed_at": "2026-01-05T10:00:01.300000Z",
    "attempts": 1,
}
PAGE_EXAMPLE = {
    "items": [PROCESSED_EXAMPLE],
    "total": 1,
    "limit": 20,
    "offset": 0,
    "has_more": False,
    "next_cursor": None,
}
_CUSTOMER = [validate.Length(1, 255), validate.Regexp(r".*\S", re.DOTALL, error="Must not be blank.")]
_PRICE = [validate.Range(min=Decimal(0)), validate.Range(max=PRICE_BELOW, max_inclusive=False)]


class ItemSchema(ma.Schema):
    """One item of an order."""

    sku = Sku(required=True, validate=validate.Length(1, 100), metadata={"example": "P001", "pattern": NOT_BLANK})
    quantity = Integer(required=True, validate=validate.Range(1, MAX_QUANTITY), metadata={"example": 3})
    unit_price = Number(places=content.PLACES, required=True, validate=_PRICE, metadata={"example": 10})

    @ma.post_load
    def drop_the_sign_of_zero(self, item: dict[str, Any], **_: Any) -> dict[str, Any]:
        """JSON has a -0.0, and money has not."""
        return {**item, "unit_price": abs(item["unit_price"])}


class OrderSubmitSchema(ma.Schema):
    """A new order. Its `id` is the client's and identifies it."""

    id = Integer(required=True, validate=validate.Range(1, MAX_ID), metadata={"example": 123})
    customer = Text(required=True, validate=_CUSTOMER, metadata={"example": "ACME Corp"})
    items = fields.List(fields.Nested(ItemSchema), required=True, validate=validate.Length(1, MAX_ITEMS))
    submitted_at = Moment(
        required=True,
        metadata={"example": EXAMPLE["submitted_at"], "description": "With its offset, at most 5 minutes ahead"},
    )

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Return the content of an order. Raises ValidationError."""
        return certain(data) or super().load(data, **kwargs)

    @ma.validates("submitted_at")
    def must_be_past(self, submitted_at: datetime, **_: Any) -> None:
        """Allow for clocks that are a little fast."""
        if submitted_at > datetime.now(UTC) + AHEAD:
            raise ma.ValidationError("Lies more than 5 minutes ahead.")

    @ma.validates_schema
    def total_must_be_exact(self, order: dict[str, Any], **_: Any) -> None:
        """Reject a total of more than 15 digits, which binary JSON numbers cannot represent exactly."""
        if content.total(order["items"]) >= content.TOTAL_BELOW:
            raise ma.ValidationError(f"Together they cost {content.TOTAL_BELOW:,} or more.", "items")


class KnownProductSchema(ma.Schema):
    """What is known of an item's product, and who knows it."""

    source = fields.String(required=True, metadata={"example": "catalog", "enum": ["catalog", "fakestore"]})
    id = fields.String(required=True, metadata={"description": "There", "example": "7"})
    title = fields.String(required=True, metadata={"example": "Desk lamp"})
    category = fields.String(required=True, allow_none=True, metadata={"example": "Lighting"})
    image = fields.String(required=True, allow_none=True)
    price = fields.Float(required=True, allow_none=True, metadata={"description": "There, at the time"})


class OrderItemSchema(ItemSchema):
    """One item as it is answered; `line_total` and `product` are null until the order is processed."""

    line_total = Number(places=content.PLACES, dump_default=None, allow_none=True, metadata={"example": 30})
    product = fields.Nested(KnownProductSchema, dump_default=None, allow_none=True)


class OrderSchema(ma.Schema):
    """An order as it is answered. `next_attempt_at` is given while it waits to be tried again."""

    id = fields.Integer(required=True, metadata={"example": 123})
    customer = fields.String(required=True, metadata={"example": "ACME Corp"})
    status = fields.String(required=True, metadata={"enum": list(STATUSES), "example": "queued"})
    items = fields.List(fields.Nested(OrderItemSchema), required=True)
    total = Number(places=content.PLACES, required=True, allow_none=True, metadata={"example": 30})
    hash = fields.String(required=True, metadata={"description": "SHA-256 of the canonical content"})
    submitted_at = Moment(required=True)
    created_at = Moment(required=True)
    processed_at = Moment(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True, metadata={"example": None})
    attempts = fields.Integer(required=True, metadata={"example": 0})
    next_attempt_at = Moment(required=True, allow_none=True)


class OrderPageSchema(OffsetPageSchema):
    """One page of a list."""

    items = fields.List(fields.Nested(OrderSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OrderQuerySchema(ma.Schema):
    """The filters and the page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = offset_field()
    cursor = fields.Integer(
        validate=validate.Range(1, 2**63 - 1),
        metadata={"description": "`next_cursor` of the page before; `offset` then counts for nothing"},
    )
    status = fields.String(validate=validate.OneOf(STATUSES))
    customer = Text(validate=validate.Length(1, 255), metadata={"description": "The whole name, any case"})
