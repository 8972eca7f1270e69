"""What transforms take and answer over HTTP."""

from typing import Any

import marshmallow as ma
from marshmallow import fields


class ArgumentSchema(ma.Schema):
    """One argument, as it can be given by its name."""

    name = fields.String(required=True, metadata={"example": "style"})
    kind = fields.String(required=True, metadata={"example": "en|de|fr|ch"})
    required = fields.Boolean(required=True)
    many = fields.Boolean(required=True, metadata={"description": "Takes any number of values"})


class TransformSchema(ma.Schema):
    """A transform."""

    name = fields.String(required=True, metadata={"example": "add"})
    signature = fields.String(required=True, metadata={"example": "add(number: number, other: number)"})
    summary = fields.String(required=True, metadata={"example": "Add two numbers."})
    arguments = fields.List(fields.Nested(ArgumentSchema), required=True)


class TransformsSchema(ma.Schema):
    """All transforms."""

    items = fields.List(fields.Nested(TransformSchema), required=True)
    total = fields.Integer(required=True)


class Values(fields.Field[Any]):
    """The arguments, in order (a list) or by name (an object)."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list | dict):
            raise ma.ValidationError("Must be a list, or an object by name.")
        return value


class CallSchema(ma.Schema):
    """The arguments of a call: `{"arguments": [5, 7]}` or `{"arguments": {"number": 5, "other": 7}}`."""

    arguments = Values(
        required=True, metadata={"example": [5, 7], "oneOf": [{"type": "array", "items": {}}, {"type": "object"}]}
    )


class TransformResultSchema(ma.Schema):
    """What came of it; `text` is the same exactly, whatever a JSON parser makes of numbers."""

    name = fields.String(required=True, metadata={"example": "add"})
    result = fields.Raw(required=True, allow_none=True, metadata={"example": 12})
    text = fields.String(required=True, metadata={"example": "12"})
