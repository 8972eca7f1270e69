"""What the API takes and gives for products. JSON types are taken at their word: "5" is not 5."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import NOT_BLANK, Boolean, Integer, Moment, Number, QueryNumber, Sku, Text, utc
from catalog.pagination import OffsetPageSchema, offset_field
from catalog.products.models import MAX_INTEGER, MAX_NUMBER, PRICE_BELOW

IMAGE = re.compile(r"https?://[^\s/?#.][^\s]*", re.ASCII | re.IGNORECASE)
NAME = {"example": "Desk lamp", "pattern": NOT_BLANK}
_IMAGE = {
    "example": "https://img.example.com/lamp.jpg",
    "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00/?#.][^\s\x00]*$",
}
_MOMENT = {"type": "string", "format": "date-time"}
WRITE_STATES = ("queued", "done", "failed")
SORTS = ("created_at", "number", "sku", "name", "price")


def sku_rules() -> list[validate.Validator]:
    """Return the rules for a SKU, after trimming."""
    return [validate.Length(1, 100)]


def name_rules() -> list[Any]:
    """Return the rules for a name."""
    return [validate.Length(1, 255), validate.Regexp(r".*\S", re.DOTALL, error="Must not be blank.")]


def price_rules() -> list[validate.Validator]:
    """Return the rules for a price: above zero, and within numeric(12, 2)."""
    return [
        validate.Range(min=Decimal(0), min_inclusive=False),
        validate.Range(max=PRICE_BELOW, max_inclusive=False),
    ]


def count_rules() -> list[validate.Validator]:
    """Return the rules for a quantity: zero or more, within a database integer."""
    return [validate.Range(min=0, max=MAX_INTEGER)]


def rate_rules() -> list[validate.Validator]:
    """Return the rules for a rating: 0 to 5."""
    return [validate.Range(min=Decimal(0), max=Decimal(5))]


def image_rules() -> list[validate.Validator]:
    """Return the rules for a picture's address: http or https with a host, at most 500 characters."""
    return [
        validate.Length(max=500),
        validate.Regexp(IMAGE.pattern + r"\Z", IMAGE.flags, error="Not a valid http or https URL."),
    ]


class RatingSchema(ma.Schema):
    """A product's rating."""

    rate = Number(required=True, allow_none=True, validate=rate_rules(), metadata={"example": 4.5})
    count = Integer(required=True, allow_none=True, validate=count_rules(), metadata={"example": 120})


class ProductFields(ma.Schema):
    """The fields that a client may write."""

    sku = Sku(validate=sku_rules(), metadata={"example": "LAMP-001", "pattern": NOT_BLANK})
    name = Text(validate=name_rules(), metadata=NAME)
    description = Text(allow_none=True, metadata={"example": "Warm white, dimmable"})
    active = Boolean(metadata={"example": True})
    price = Number(allow_none=True, validate=price_rules(), metadata={"example": 39.9})
    stock_quantity = Integer(validate=count_rules(), metadata={"example": 12})
    category = Text(allow_none=True, validate=validate.Length(max=100), metadata={"example": "Lighting"})
    image = Text(allow_none=True, validate=image_rules(), metadata=_IMAGE)
    rating = fields.Nested(RatingSchema, allow_none=True)

    @ma.post_load
    def flatten_rating(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Turn `rating` into the two columns that hold it."""
        if "rating" in data:
            rating: Mapping[str, Any] = data.pop("rating") or {}
            data["rating_rate"], data["rating_count"] = rating.get("rate"), rating.get("count")
        return data


class ProductCreateSchema(ProductFields):
    """A new product; without a `sku` it gets `SKU-<number>`."""

    name = Text(required=True, validate=name_rules(), metadata=NAME)


class ProductChangeSchema(ProductFields):
    """The fields to change; what is not given stays as it is."""


class ProductBySkuSchema(ProductFields):
    """The fields of a product that its address names; a `sku` may only differ from that in its case."""


class ProductSchema(ProductFields):
    """A product as it is answered."""

    class Meta:
        fields = (
            "id",
            "number",
            "sku",
            "name",
            "description",
            "active",
            "price",
            "stock_quantity",
            "category",
            "image",
            "rating",
            "version",
            "created_at",
            "updated_at",
        )

    id = fields.UUID(required=True)
    number = fields.Integer(required=True, metadata={"example": 7, "minimum": 1, "maximum": MAX_NUMBER})
    version = fields.Integer(required=True, metadata={"example": 1})
    created_at = fields.Function(lambda product: utc(product.created_at), metadata=_MOMENT)
    updated_at = fields.Function(lambda product: utc(product.updated_at), metadata=_MOMENT)


class ProductPageSchema(ma.Schema):
    """One page of a list."""

    items = fields.List(fields.Nested(ProductSchema), required=True)
    total = fields.Integer(
        required=True, metadata={"description": "How many match; an estimate where `total_exact` is false"}
    )
    total_exact = fields.Boolean(required=True)
    limit = fields.Integer(required=True)
    offset = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ProductFilterSchema(ma.Schema):
    """The filters and the order of a list."""

    sort = fields.String(
        load_default="-created_at",
        validate=validate.OneOf([prefix + name for name in SORTS for prefix in ("", "-")]),
    )
    sku = Text(validate=validate.Length(1, 100), metadata={"description": "Part of the SKU, any case"})
    name = Text(validate=validate.Length(1, 255), metadata={"description": "Part of the name, any case"})
    search = Text(validate=validate.Length(1, 200), metadata={"description": "Words, the last one begun"})
    category = Text(validate=validate.Length(1, 100))
    active = fields.Boolean()
    min_price = QueryNumber(allow_nan=False, validate=validate.Range(0, PRICE_BELOW))
    max_price = QueryNumber(allow_nan=False, validate=validate.Range(0, PRICE_BELOW))


class ProductQuerySchema(ProductFilterSchema):
    """The filters, the order and the page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = offset_field()
    cursor = fields.String(metadata={"description": "`next_cursor` of the page before"})


class ProductExportSchema(ProductFilterSchema):
    """The filters and the order of an export, and how it is written."""

    format = fields.String(
        validate=validate.OneOf(["csv", "jsonl"]),
        metadata={"description": "`csv` or `jsonl`, else what `Accept` prefers, else CSV"},
    )


class StatsSchema(ma.Schema):
    """How many products there are."""

    total = fields.Integer(required=True, metadata={"example": 5})
    active = fields.Integer(required=True, metadata={"example": 4})
    inactive = fields.Integer(required=True, metadata={"example": 1})


class ProductWriteSchema(ma.Schema):
    """A write that was answered for before it was made. `id` is its job's."""

    id = fields.UUID(required=True)
    product_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["create", "update"]))
    fields_ = fields.Dict(data_key="fields", attribute="fields", required=True, metadata={"example": {"name": "Lamp"}})
    state = fields.String(required=True, validate=validate.OneOf(WRITE_STATES))
    attempts = fields.Integer(required=True, metadata={"description": "How often it was put off", "example": 0})
    code = fields.String(required=True, allow_none=True, metadata={"example": "conflict"})
    error = fields.String(required=True, allow_none=True)
    errors = fields.List(fields.Dict(), required=True, allow_none=True)
    created_at = Moment(required=True)
    finished_at = Moment(required=True, allow_none=True)


class ProductWritePageSchema(OffsetPageSchema):
    """One page of queued writes."""

    items = fields.List(fields.Nested(ProductWriteSchema), required=True)


class ProductWriteQuerySchema(ma.Schema):
    """Which queued writes, and which page of them."""

    state = fields.String(load_default=None, validate=validate.OneOf(WRITE_STATES))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))
