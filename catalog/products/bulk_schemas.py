"""The shapes of calls that are about many products: created or changed in bulk, or all deleted."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import NOT_BLANK, Sku
from catalog.products.schemas import ProductFields, sku_rules

MAX_BULK = 1_000


class ProductBulkItemSchema(ProductFields):
    """A product of a bulk call, created or changed by its SKU; what is not given stays as it is."""

    sku = Sku(required=True, validate=sku_rules(), metadata={"example": "LAMP-001", "pattern": NOT_BLANK})


class ProductBulkSchema(ma.Schema):
    """Up to 1,000 products; each is judged by itself."""

    items = fields.List(
        fields.Raw(allow_none=True),  # is refused as an item, not as the call
        required=True,
        validate=validate.Length(1, MAX_BULK),
        metadata={"items": {"$ref": "#/components/schemas/ProductBulkItem"}},
    )


class FieldProblemSchema(ma.Schema):
    """What is wrong with a field of an item."""

    field = fields.String(required=True, metadata={"example": "name"})
    message = fields.String(required=True, metadata={"example": "Missing data for required field."})
    code = fields.String(required=True, metadata={"example": "duplicate"})


class BulkResultSchema(ma.Schema):
    """What became of one item; `id` and `version` are null for an error."""

    index = fields.Integer(required=True, metadata={"description": "Its place among the items, from 0", "example": 0})
    sku = fields.String(required=True, allow_none=True, metadata={"example": "LAMP-001"})
    result = fields.String(required=True, validate=validate.OneOf(["created", "updated", "unchanged", "error"]))
    id = fields.UUID(required=True, allow_none=True)
    version = fields.Integer(required=True, allow_none=True)
    errors = fields.List(fields.Nested(FieldProblemSchema), required=True)


class BulkResultsSchema(ma.Schema):
    """How many items ended how, and each of them in the order they came."""

    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    unchanged = fields.Integer(required=True, metadata={"example": 0})
    errors = fields.Integer(required=True, metadata={"example": 0})
    results = fields.List(fields.Nested(BulkResultSchema), required=True)


class DeleteAllQuerySchema(ma.Schema):
    """A guard against deleting more than one meant to."""

    expected_count = fields.Integer(validate=validate.Range(min=0))


class SubmittedSchema(ma.Schema):
    """The answer to work that goes on in the background."""

    task_id = fields.UUID(required=True)
    status = fields.String(required=True, metadata={"example": "submitted"})
    message = fields.String(required=True, metadata={"example": "Deletion of 5 products submitted"})


class DeletionStatusSchema(ma.Schema):
    """How far a bulk deletion is."""

    task_id = fields.UUID(attribute="id", required=True)
    status = fields.String(attribute="state", required=True, metadata={"example": "completed"})
    message = fields.String(required=True, metadata={"example": "Deleted 5 of 5 products"})
    percent = fields.Integer(required=True)
    deleted_count = fields.Integer(attribute="deleted", required=True, metadata={"example": 5})
    error = fields.String(required=True, allow_none=True)
