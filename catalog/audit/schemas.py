"""What the API gives and takes for audit entries."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog import examples
from catalog.fields import Moment, Text
from catalog.pagination import CursorPageSchema

_ID = {"example": examples.ID}


class ActorSchema(ma.Schema):
    """Who wrote."""

    id = fields.String(required=True, metadata={"example": "key:3f9a"})
    name = fields.String(required=True, metadata={"example": "warehouse"})


class HistoryEntrySchema(ma.Schema):
    """One write, with the fields that changed; secrets are `***`."""

    id = fields.UUID(required=True)
    at = Moment(required=True)
    actor = fields.Nested(ActorSchema, required=True)
    request_id = fields.String(required=True, allow_none=True, metadata={"example": "c0e75370ab8d4bd7aab6cd24123146c3"})
    action = fields.String(required=True, metadata={"example": "update"})
    entity = fields.String(required=True, metadata={"example": "product"})
    entity_id = fields.String(required=True, metadata=_ID)
    before = fields.Dict(required=True, allow_none=True, metadata={"example": {"price": 39.9, "version": 1}})
    after = fields.Dict(required=True, allow_none=True, metadata={"example": {"price": 34.9, "version": 2}})


class AuditEntrySchema(HistoryEntrySchema):
    """One write, and where it came from."""

    address = fields.String(required=True, allow_none=True, metadata={"example": "192.0.2.7"})


class HistoryPageSchema(CursorPageSchema):
    """One page of entries."""

    items = fields.List(fields.Nested(HistoryEntrySchema), required=True)


class AuditPageSchema(HistoryPageSchema):
    """One page of entries, with where they came from."""

    items = fields.List(fields.Nested(AuditEntrySchema), required=True)


class HistoryQuerySchema(ma.Schema):
    """The page of a history."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before"})


class AuditQuerySchema(HistoryQuerySchema):
    """The filters and the page of the audit."""

    entity = Text(validate=validate.Length(1, 255), metadata={"example": "product"})
    id = Text(validate=validate.Length(1, 255), metadata={"description": "Of the entity", **_ID})
    actor = Text(validate=validate.Length(1, 255), metadata={"description": "Its `id`", "example": "key:3f9a"})
    action = Text(validate=validate.Length(1, 255), metadata={"example": "update"})
    since = Moment(metadata={"description": "Then or later, to the millisecond"})
    until = Moment(metadata={"description": "Before then, to the millisecond"})
