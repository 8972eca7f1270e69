"""What the API answers about imports."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.access import caller
from catalog.fields import Moment
from catalog.imports.report import RAW_STATES, STATES
from catalog.pagination import OffsetPageSchema

_MESSAGE = {"type": "string", "example": "Import of products.csv submitted"}
_ATTEMPTS = {"description": "Attempts since it last got further", "example": 1}


class ImportSubmittedSchema(ma.Schema):
    """A file was taken in; the import goes on in the background."""

    task_id = fields.UUID(attribute="id", required=True)
    status = fields.Constant("submitted")
    message = fields.Function(lambda imported: f"Import of {imported.filename} submitted", metadata=_MESSAGE)
    filename = fields.String(required=True, metadata={"example": "products.csv"})


class StatusSchema(ma.Schema):
    """How far an import is."""

    task_id = fields.UUID(required=True)
    state = fields.String(required=True, validate=validate.OneOf(list(STATES.values())))
    progress_percent = fields.Integer(attribute="percent", required=True, metadata={"example": 40})
    current = fields.Integer(required=True)
    total = fields.Integer(required=True)
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    errors = fields.Integer(required=True, metadata={"description": "How many rows were rejected"})
    message = fields.String(required=True, metadata={"example": "1 of 1 rows"})
    error = fields.String(required=True, allow_none=True)


class RawProgressSchema(ma.Schema):
    """The same in raw form."""

    task_id = fields.UUID(required=True)
    status = fields.String(
        required=True, validate=validate.OneOf(["PENDING", "STARTED", "PROGRESS", "SUCCESS", "FAILURE"])
    )
    percent = fields.Integer(required=True)
    current = fields.Integer(required=True)
    total = fields.Integer(required=True)
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    errors = fields.Integer(required=True)
    message = fields.String(required=True, metadata={"example": "1 of 1 rows"})
    error = fields.String(required=True, allow_none=True)


class ErrorDetailSchema(ma.Schema):
    """A row that was rejected."""

    row = fields.Integer(
        required=True, metadata={"description": "The line it starts on; the header is line 1", "example": 3}
    )
    field = fields.String(required=True, metadata={"example": "price"})
    code = fields.String(required=True, metadata={"example": "invalid"})
    error = fields.String(required=True, metadata={"example": "Not a valid number."})
    data = fields.Dict(
        required=True,
        metadata={"description": "The row as it was, by column", "example": {"sku": "LAMP-002", "price": "cheap"}},
    )


class SupersededSchema(ma.Schema):
    """A row whose SKU comes again further down in the file."""

    row = fields.Integer(required=True, metadata={"example": 2})
    sku = fields.String(required=True, metadata={"example": "LAMP-001"})
    superseded_by = fields.Integer(required=True, metadata={"example": 4})


class OutcomeSchema(ma.Schema):
    """What an import did; the counts add up to the rows read."""

    status = fields.String(required=True, metadata={"example": "completed"})
    message = fields.String(required=True, metadata={"example": "Imported 1 of 3 rows"})
    total_rows = fields.Integer(required=True, metadata={"example": 3})
    processed_rows = fields.Integer(required=True, metadata={"example": 3})
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    unchanged = fields.Integer(required=True, metadata={"example": 0})
    superseded = fields.Integer(required=True, metadata={"example": 1})
    errors = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    error_details = fields.List(fields.Nested(ErrorDetailSchema), required=True)
    superseded_details = fields.List(fields.Nested(SupersededSchema), required=True)
    ignored_columns = fields.List(fields.String(), required=True, metadata={"example": ["colour"]})


class ResultSchema(ma.Schema):
    """The result of an import, null until it has ended."""

    status = fields.String(required=True, validate=validate.OneOf(sorted(set(RAW_STATES.values()))))
    task_id = fields.UUID(required=True)
    result = fields.Nested(OutcomeSchema, required=True, allow_none=True)


class DifferenceSchema(ma.Schema):
    """A product that a dry run would change."""

    line = fields.Integer(required=True, metadata={"example": 2})
    sku = fields.String(required=True, metadata={"example": "LAMP-001"})
    changed = fields.Dict(required=True, metadata={"example": {"price": {"from": 5.0, "to": 6.5}}})


class DryRunSchema(ma.Schema):
    """What a dry run counted, and its first 20 differences; null for callers without the scope `products:read`."""

    created = fields.Integer(required=True)
    updated = fields.Integer(required=True, metadata={"example": 1})
    unchanged = fields.Integer(required=True, metadata={"example": 0})
    errors = fields.Integer(required=True, metadata={"example": 0})
    differences = fields.List(fields.Nested(DifferenceSchema), required=True, allow_none=True)


class ChangedProductSchema(ma.Schema):
    """A product that is not as the dry run saw it; a version is null where there was none, or is none now."""

    line = fields.Integer(required=True, metadata={"example": 2})
    sku = fields.String(required=True, metadata={"example": "LAMP-001"})
    version_then = fields.Integer(required=True, allow_none=True, metadata={"example": 1})
    version_now = fields.Integer(required=True, allow_none=True, metadata={"example": 2})


class ChangedMeanwhileSchema(ma.Schema):
    """How many products of the file changed between a dry run and its commit, and the first 20, or null as above."""

    count = fields.Integer(required=True, metadata={"example": 1})
    products = fields.List(fields.Nested(ChangedProductSchema), required=True, allow_none=True)


class ImportSchema(ma.Schema):
    """Everything known about an import."""

    id = fields.UUID(required=True)
    filename = fields.String(required=True, metadata={"example": "products.csv"})
    size = fields.Integer(required=True, metadata={"example": 120})
    options = fields.Dict(required=True, metadata={"example": {"mode": "upsert", "on_error": "skip"}})
    encoding = fields.String(required=True, allow_none=True)
    header = fields.List(fields.String(), required=True, metadata={"example": ["sku", "name", "colour"]})
    ignored_columns = fields.List(fields.String(), required=True, metadata={"example": ["colour"]})
    state = fields.String(required=True, metadata={"example": "completed"})
    error = fields.String(required=True, allow_none=True)
    percent = fields.Integer(required=True)
    total_rows = fields.Integer(required=True, metadata={"example": 3})
    processed_rows = fields.Integer(required=True, metadata={"example": 3})
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    unchanged = fields.Integer(required=True, metadata={"example": 0})
    superseded = fields.Integer(required=True, metadata={"example": 1})
    rejected = fields.Integer(required=True, metadata={"example": 1})
    superseded_details = fields.List(fields.Nested(SupersededSchema), required=True)
    dry_run = fields.Nested(DryRunSchema, required=True, allow_none=True)
    committed_at = Moment(required=True, allow_none=True)
    changed_meanwhile = fields.Nested(ChangedMeanwhileSchema, required=True, allow_none=True)
    cancel_requested = fields.Boolean(required=True)
    attempts = fields.Integer(required=True, metadata=_ATTEMPTS)
    created_at = Moment(required=True)
    started_at = Moment(required=True, allow_none=True)
    finished_at = Moment(required=True, allow_none=True)

    @ma.post_dump
    def _hide_products(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Remove the present values of products for callers without the scope to read them."""
        if not caller().may("products:read"):
            for report, name in (("dry_run", "differences"), ("changed_meanwhile", "products")):
                if data.get(report):
                    data[report] = {**data[report], name: None}
        return data


class HistoryQuerySchema(ma.Schema):
    """Which page of the history."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))


class HistorySchema(OffsetPageSchema):
    """A page of imports, the latest first."""

    items = fields.List(fields.Nested(ImportSchema), required=True)
