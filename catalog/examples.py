"""Examples for the API's document, made of those that the schemas' fields carry as `metadata={"example": …}`.

What says enough by its type or its name needs none: ids, times, booleans, choices, the numbers of a page.
"""

from typing import Any

import marshmallow as ma
from marshmallow import fields, missing, validate

ID = "01a1fbf7-541d-7368-acbb-2c2d1bd53bb1"
MOMENT = "2026-11-21T09:30:00Z"

_BY_NAME = {
    **{"limit": 20, "offset": 0, "total": 1, "has_more": False, "next_cursor": None, "version": 1, "error": None},
    **{"percent": 100, "current": 1, "created": 1, "updated": 0, "errors": 0, "status": "submitted"},
}

SchemaLike = ma.Schema | type[ma.Schema]


def of_request(schema: SchemaLike) -> dict[str, Any]:
    """Return an example body: the required fields, and of the others those that carry an example."""
    taken = {
        field.data_key or name: _of(field, name)
        for name, field in _instance(schema).load_fields.items()
        if field.required or "example" in field.metadata or _nests(field)
    }
    return {name: value for name, value in taken.items() if value is not missing}


def of_answer(schema: SchemaLike) -> dict[str, Any]:
    """Return an example answer with every field that has an example; a test names those without."""
    given = {field.data_key or name: _of(field, name) for name, field in _instance(schema).dump_fields.items()}
    return {name: value for name, value in given.items() if value is not missing}


def _instance(schema: SchemaLike) -> ma.Schema:
    return schema() if isinstance(schema, type) else schema


def _nests(field: Any) -> bool:
    return isinstance(field, fields.Nested)


def _of(field: Any, name: str) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if _nests(field):
        return of_answer(field.schema)
    if isinstance(field, fields.List):
        inner = _of(field.inner, "")
        return inner if inner is missing else [inner]
    by_type = _of_type(field)
    return by_type if by_type is not missing else _BY_NAME.get(name, None if field.allow_none else missing)


def _of_type(field: Any) -> Any:
    choices = [each for rule in field.validators if isinstance(rule, validate.OneOf) for each in rule.choices]
    if choices:
        return choices[0]
    if isinstance(field, fields.Constant):
        return field.constant
    if isinstance(field, fields.Dict):
        return {}
    if isinstance(field, fields.UUID):
        return ID
    if isinstance(field, fields.DateTime) or field.metadata.get("format") == "date-time":
        return MOMENT
    return _BY_NAME.get(field.name or "", True) if isinstance(field, fields.Boolean) else missing
