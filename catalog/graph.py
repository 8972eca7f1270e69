"""What all resolvers share, as http.py is what all routes share: scalars, and arguments read through schemas."""

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NewType

import marshmallow as ma
import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from catalog.errors import FieldError, NotFound, ValidationFailed, flatten
from catalog.fields import utc

MAX_PAGE = 100  # items that a list gives at most
JSON_MAX_DEPTH = 32

Json = NewType("Json", object)
Time = NewType("Time", datetime)


def _plain_json(value: Any, depth: int = 0) -> Any:
    """Return a JSON value as it came; raises ValueError for what PostgreSQL or a receiver could not read."""
    if depth > JSON_MAX_DEPTH:
        raise ValueError(f"JSON is nested deeper than {JSON_MAX_DEPTH} levels")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Infinity and NaN are no JSON numbers")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _plain_json(part, depth + 1)
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("A time needs its zone, e.g. Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("In UTC this would be before the year 1 or after 9999") from None


SCALARS: Mapping[object, ScalarDefinition] = {
    Json: strawberry.scalar(
        name="JSON", description="Any JSON value.", serialize=lambda value: value, parse_value=_plain_json
    ),
    Time: strawberry.scalar(
        name="DateTime", description="A time as ISO 8601 in UTC with `Z`.", serialize=utc, parse_value=_moment
    ),
}


_SCOPE = "scope"


def needs(scope: str) -> dict[str, str]:
    """Return the `metadata` of a field that needs this scope: `@strawberry.field(metadata=needs("tasks"))`."""
    return {_SCOPE: scope}


def scope_of(field: StrawberryField) -> str | None:
    """Return the scope that a field declares."""
    return field.metadata.get(_SCOPE)


@strawberry.type
class Done:
    """How a change went that leaves nothing to show."""

    success: bool
    message: str


def identity(text: str) -> uuid.UUID:
    """Return the UUID that an argument gives. Raises NotFound, as REST does, since nothing has another id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("There is nothing with this id.") from None


def given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that the caller gave, also those given as null, with floats as exact Decimals."""
    return {name: _exact(value) for name, value in arguments.items() if value is not strawberry.UNSET}


def wanted(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that ask for something: in a filter null, like nothing given, means any."""
    return {name: value for name, value in given(**arguments).items() if value is not None}


def loaded(schema: ma.Schema, arguments: dict[str, Any], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Load arguments through the very schema of the REST API.

    `names` gives the argument of a field where it is not the field's own in camel case. Raises ValidationFailed,
    whose fields are the caller's arguments.
    """
    try:
        return schema.load(arguments, unknown=ma.RAISE)  # type: ignore[no-any-return]
    except ma.ValidationError as error:
        raise ValidationFailed([_renamed(each, names or {}) for each in flatten(error.messages)]) from error


def _renamed(error: FieldError, names: Mapping[str, str]) -> FieldError:
    field = names.get(error["field"]) or camel_case(error["field"])
    return {**error, "field": field}


def camel_case(name: str) -> str:
    """Return e.g. stockQuantity for stock_quantity."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _exact(value: Any) -> Any:
    """GraphQL's Float is binary; its shortest text is the number that the caller wrote."""
    return Decimal(repr(value)) if isinstance(value, float) else value
