"""What an import takes: the options of an upload, and the cells of a row, which are all text."""

import codecs
import re
from decimal import Decimal, localcontext
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

LEVELS = ("summary", "per_product", "none")  # how much webhooks are told of an import
TRUE = frozenset({"true", "1", "yes", "y", "t"})
FALSE = frozenset({"false", "0", "no", "n", "f"})
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be"),
    *(f"iso8859-{part}" for part in (1, 2, 5, 7, 9, 15)),
    *(f"cp{page}" for page in (437, 850, *range(1250, 1259))),
    *("koi8-r", "mac-roman", "shift_jis", "euc_jp", "euc_kr", "gb18030", "big5"),
)
_IMAGE = re.compile(r"https?://[^\s/?#.][^\s]*\Z", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?[0-9]{1,30})(?:\.0{1,30})?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")


class Text(fields.String):
    """A text without NUL, which PostgreSQL cannot keep."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if "\0" in value:
            raise ma.ValidationError("Must not contain NUL characters.")
        return super()._deserialize(value, *args, **kwargs)


class Sku(Text):
    """A SKU: surrounding space is dropped before its length is judged."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return super()._deserialize(value.strip(), *args, **kwargs)


class TextBoolean(fields.Boolean):
    """true/false, 1/0, yes/no, y/n or t/f, in any case."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        word = value.strip().lower()
        if word not in TRUE | FALSE:
            raise ma.ValidationError("Must be true or false, 1 or 0, yes or no.")
        return word in TRUE


class TextInteger(fields.Integer):
    """A whole number in ASCII digits; 5.0 is 5, as spreadsheets write it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        match = _INTEGER.fullmatch(value.strip())
        if not match:
            raise self.make_error("invalid", input=value)
        return int(match[1])


class TextNumber(fields.Field[Decimal]):
    """A number in plain ASCII decimal notation: no exponent, thousands separator, NaN or decimal comma."""

    default_error_messages = {"invalid": "Not a valid number.", "places": "At most 2 decimals."}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        plain = value.strip()
        if not _NUMBER.fullmatch(plain):
            raise self.make_error("invalid")
        with localcontext(prec=80):
            number = Decimal(plain)
            if number != (exact := number.quantize(Decimal("0.01"))):
                raise self.make_error("places")
            return abs(exact) if exact.is_zero() else exact


_COUNT = validate.Range(min=0, max=2**31 - 1)


class RowSchema(ma.Schema):
    """One row of a file, judged as the API judges a product: a test holds the two together.

    An empty cell is left out of what `load()` returns.
    """

    sku = Sku(required=True, validate=validate.Length(1, 100))
    name = Text(
        required=True,
        validate=validate.And(
            validate.Regexp(r".*\S", re.DOTALL, error="Must not be blank."), validate.Length(max=255)
        ),
    )
    description = Text()
    active = TextBoolean()
    price = TextNumber(
        validate=[
            validate.Range(min=Decimal(0), min_inclusive=False),
            validate.Range(max=Decimal(10) ** 10, max_inclusive=False),
        ]
    )
    stock_quantity = TextInteger(validate=_COUNT)
    category = Text(validate=validate.Length(max=100))
    image = Text(
        validate=validate.And(
            validate.Length(max=500),
            validate.Regexp(_IMAGE, error="Not a valid http or https URL."),
        )
    )
    rating_rate = TextNumber(validate=validate.Range(Decimal(0), Decimal(5)))
    rating_count = TextInteger(validate=_COUNT)

    @ma.pre_load
    def leave_out_empty(self, cells: dict[str, str], **_: Any) -> dict[str, str]:
        """Drop cells that say nothing; a blank number or boolean is as empty as an empty one."""
        texts = ("description", "category", "image")
        return {
            name: cell
            for name, cell in cells.items()
            if name in ("sku", "name") or (cell if name in texts else cell.strip())
        }


class Encoding(fields.String):
    """The name of a text encoding, in any of its spellings."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        try:
            name: str = codecs.lookup(str(super()._deserialize(value, *args, **kwargs))).name
        except (LookupError, ValueError):
            name = ""
        if name not in ENCODINGS:
            raise ma.ValidationError(f"Must be one of: {', '.join(ENCODINGS)}.")
        return name


class Delimiter(fields.String):
    """What separates the cells: one character, or the word `tab`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        found: str = {"tab": "\t", "\\t": "\t"}.get(value, value)
        if found not in (",", ";", "\t", "|"):
            raise ma.ValidationError("Must be one of: , ; tab |")
        return found


class UploadOptionsSchema(ma.Schema):
    """How a file is to be imported: the form fields beside `file`."""

    mode = fields.String(load_default="upsert", validate=validate.OneOf(["upsert", "create_only", "update_only"]))
    on_error = fields.String(load_default="skip", validate=validate.OneOf(["skip", "abort"]))
    empty = fields.String(load_default="keep", validate=validate.OneOf(["keep", "clear"]))
    events = fields.String(load_default=LEVELS[0], validate=validate.OneOf(LEVELS))
    dry_run = fields.Boolean(load_default=False)
    delimiter = Delimiter(load_default=None)
    encoding = Encoding(load_default=None)
    sheet = Text(load_default=None, validate=validate.Length(max=31))  # blank, as forms send it: the first
    mapping = fields.String(load_default=None)  # JSON, read where named ones can be looked up
    mapping_name = fields.String(load_default=None)
