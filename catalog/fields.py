"""Fields that every feature's schemas share. JSON types are taken at their word: "5" is not 5."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import marshmallow as ma
from marshmallow import fields

from catalog.numbers import exact

_WIDE = Context(prec=100)  # more than twenty digits before the point and `places` after it

NO_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*\S[^\x00]*$"  # and no NUL


class Text(fields.String):
    """A string without NUL, which PostgreSQL cannot keep; in the document the `pattern` of `metadata` says more."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "metadata": {"pattern": NO_NUL, **kwargs.get("metadata", {})}})

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        result = super()._deserialize(value, *args, **kwargs)
        if result is not None and "\x00" in result:
            raise ma.ValidationError("Must not contain NUL characters.")
        return result  # type: ignore[no-any-return]


class Sku(Text):
    """A SKU: surrounding space is dropped before its length is judged."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, *args, **kwargs).strip()


class Boolean(fields.Boolean):
    """A JSON true or false; marshmallow's own also takes "yes" and 1."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Integer(fields.Integer):
    """A JSON integer; marshmallow's own also takes true and "5"."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**63:
            value = int(value)  # JSON does not tell 5.0 from 5
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(fields.Field[Decimal]):
    """A JSON number, kept as an exact Decimal, with at most `places` decimals; written as a number."""

    default_error_messages = {
        "invalid": "Not a valid number.",
        "places": "At most {places} decimals.",
    }

    def __init__(self, places: int = 2, **kwargs: Any):
        super().__init__(**{**kwargs, "metadata": {"type": "number", **kwargs.get("metadata", {})}})
        self.places = places

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        return None if value is None else float(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise self.make_error("invalid")
        return self.checked(Decimal(value))

    def checked(self, number: Decimal) -> Decimal:
        """Return the number as it is stored, e.g. 5 as 5.00; raises ValidationError for more decimals."""
        if abs(number) >= 10**20:
            return number  # the range check that follows refuses it
        stored = number.quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_EVEN, _WIDE)
        if stored != number:
            raise self.make_error("places", places=self.places)
        return stored


class QueryNumber(fields.Decimal):
    """A number in a query, exact; one that PostgreSQL cannot read is refused."""

    def _validated(self, value: Any) -> Decimal:
        try:
            return super()._validated(exact(str(value)))  # type: ignore[no-any-return]
        except ValueError as error:
            raise self.make_error("invalid") from error


class Moment(fields.AwareDateTime):
    """A time in ISO 8601 with its offset, without which it is refused; kept and written in UTC."""

    default_error_messages = {"invalid_awareness": "The offset from UTC is missing: end it with Z or +01:00, say."}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else utc(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            return super()._deserialize(value, *args, **kwargs).astimezone(UTC)
        except OverflowError:  # in UTC it would be before the year 1 or after 9999
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None


def utc(moment: Any) -> str:
    """Return a time as ISO 8601 in UTC with `Z`."""
    return moment.isoformat().replace("+00:00", "Z")  # type: ignore[no-any-return]
