"""What kept mappings look like over HTTP."""

import marshmallow as ma
from marshmallow import fields, validate

EXAMPLE = {"Artikelnummer": "sku", "Titel": ["name", "strip", "title_case"], "Preis": ["price", "parse_number:de"]}

_NAME = validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z", error="Letters, digits, - _ and . only, at most 100.")


def _mapping() -> fields.Dict:
    return fields.Dict(keys=fields.String(), required=True, metadata={"example": EXAMPLE})


class MappingChangeSchema(ma.Schema):
    """Columns by name: our field, or a list of our field and the transforms on the way to it."""

    mapping = _mapping()


class MappingCreateSchema(MappingChangeSchema):
    """A mapping and the name to keep it under."""

    name = fields.String(
        required=True,
        validate=[_NAME, validate.NoneOf(["suggest"])],
        metadata={"example": "supplier-7", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"},
    )


class MappingSchema(ma.Schema):
    """A kept mapping."""

    name = fields.String(required=True, metadata={"example": "supplier-7"})
    mapping = _mapping()
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class MappingsSchema(ma.Schema):
    """All kept mappings."""

    items = fields.List(fields.Nested(MappingSchema), required=True)
    total = fields.Integer(required=True)


class HeaderSchema(ma.Schema):
    """The header row of a file."""

    header = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(1, 1_000),
        metadata={"example": ["Artikelnummer", "Titel", "Farbe"]},
    )


class SuggestionSchema(ma.Schema):
    """A mapping for a header: what no field is known for, and what a file must have and this one seems not to."""

    mapping = fields.Dict(required=True, metadata={"example": {"Artikelnummer": "sku", "Titel": "name"}})
    unmatched = fields.List(fields.String(), required=True, metadata={"example": ["Farbe"]})
    missing = fields.List(fields.String(), required=True, metadata={"example": []})
