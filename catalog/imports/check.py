"""Is a row valid? A fast pattern answers for almost all rows, the schema for the rest and for every refusal.

The pattern only accepts what is certainly valid, and the schema has the last word; a property test holds
the two together. Whole rows go through one pattern since a call for each cell costs three times as much.
"""

import json
import re
from decimal import Decimal
from operator import itemgetter
from typing import Any

import marshmallow as ma

from catalog.errors import flatten
from catalog.formula_escaping import unescape_formulas_in_line
from catalog.imports.reader import Header
from catalog.imports.schemas import RowSchema

SEPARATOR = "\x1f"  # "unit separator": between the cells on their way to COPY

_TEXT = r"[^\x1f\0]"
_BOOLEAN = "(?ai:true|false|1|0|yes|no|y|n|t|f)"
_CERTAINLY_VALID = {
    "sku": rf"(?!\s){_TEXT}{{1,100}}(?<!\s)",
    "name": rf"(?!\s){_TEXT}{{1,255}}",
    "description": rf"{_TEXT}*",
    "active": rf"{_BOOLEAN}?",
    "price": r"(?:(?=[0.]*[1-9])[0-9]{1,10}(?:\.[0-9]{1,2})?)?",
    "stock_quantity": "[0-9]{0,9}",
    "category": rf"{_TEXT}{{0,100}}",
    "image": "(?:https?://[A-Za-z0-9][!-~]{0,490})?",
    "rating_rate": r"(?:[0-4](?:\.[0-9]{1,2})?|5(?:\.00?)?)?",
    "rating_count": "[0-9]{0,9}",
}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", SEPARATOR: "\\" + SEPARATOR})


class RowRejected(Exception):
    """A row that cannot be imported: the field, why in words, and a stable code."""

    def __init__(self, field: str, code: str, message: str):
        super().__init__(message)
        self.field, self.code, self.message = field, code, message


class Checker:
    """Turns the rows under one header into lines for COPY in text format, `columns` being their columns."""

    def __init__(self, header: Header):
        self.header = header
        self.columns = list(header.places)
        self._pick = itemgetter(*header.places.values())
        self._width = len(header.names)
        self._matches = re.compile(SEPARATOR.join(_CERTAINLY_VALID[column] for column in self.columns)).fullmatch
        self._schema = RowSchema()

    def fast(self, cells: list[str]) -> str | None:
        """Return the COPY line of a row that is certainly valid, else None: then `slow()` decides."""
        if len(cells) != self._width:
            return None
        line: str = SEPARATOR.join(self._pick(cells))
        if self.header.escaped and "'" in line:
            line = unescape_formulas_in_line(line)
        return self._certain(line)

    def _certain(self, line: str) -> str | None:
        if not self._matches(line):
            return None
        if "\n" in line or "\\" in line or "\r" in line:
            return line.translate(_LINE_ESCAPES)
        return line

    def slow(self, cells: list[str]) -> str:
        """Return the COPY line of a valid row. Raises RowRejected."""
        if len(cells) != self._width:
            raise RowRejected("row", "ragged", f"Has {len(cells)} fields, the header has {self._width}.")
        return self._checked(self.header.values(cells))

    def _checked(self, values: list[str]) -> str:
        try:
            row = self._schema.load(dict(zip(self.columns, self._pick(values), strict=True)))
        except ma.ValidationError as error:
            raise _rejected(error) from error
        return SEPARATOR.join(_cell(row.get(column)).translate(_ESCAPES) for column in self.columns)


_LINE_ESCAPES = {key: value for key, value in _ESCAPES.items() if key != ord(SEPARATOR)}


def raw_json(cells: list[str]) -> str:
    """Return a row as it was, as a JSON list of its cells; NUL is written as an escape."""
    return json.dumps(cells)


def escaped(text: str) -> str:
    """Return a cell as COPY wants it in text format."""
    return text.translate(_ESCAPES)


def _rejected(error: ma.ValidationError) -> RowRejected:
    problems = flatten(error.messages)
    first = problems[0]
    others = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems[1:])
    return RowRejected(first["field"], first["code"], first["message"] + (f" Also {others}" if others else ""))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
