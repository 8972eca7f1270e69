"""JSON Lines: one object a line, its values of the types that the API takes, its cells then checked as any row's.

A line that is no such object is refused, and the others go on. Keys that we do not know are ignored, as columns
are. A field that is null or not given is an empty cell. The cells are in the order of COLUMNS.
"""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError, ValidationFailed, field_error
from catalog.imports import files
from catalog.imports.check import RowRejected
from catalog.imports.files import BadFile, Tick
from catalog.imports.reader import FIELDS, OURS, Header, Record
from catalog.strictjson import parse_json

MAX_LINE_BYTES = 8 << 20
FIRST_BYTES = 1 << 20  # that a preview looks for its rows in: blank lines pack well
SUFFIX = ".jsonl"
_NUMBERS = ("price", "rating_rate")
_INTEGERS = ("stock_quantity", "rating_count")
_KINDS = {"active": "boolean", **dict.fromkeys(_NUMBERS, "number"), **dict.fromkeys(_INTEGERS, "integer")}


def read_header(path: Path, tick: Tick = files.unbounded) -> Header:
    """Return the columns that every such file has. Raises ValidationFailed for a file without a line."""
    head, _ = files.read_head(path, tick)
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ValidationFailed([field_error("file", "The file has no lines.", "empty")])
    ignored = _unknown_keys(head)
    return Header("", list(FIELDS), {name: place for place, name in enumerate(FIELDS)}, ignored, escaped=False)


def _unknown_keys(head: bytes) -> list[str]:
    """Return the keys of the first lines that no field has."""
    found: dict[str, None] = {}
    for line in head.splitlines()[:-1] or [head]:
        try:
            value = parse_json(line)
        except CatalogError:
            continue
        found.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    return [key for key in found if key not in (*FIELDS, *OURS, "title", "rating")]


def lines(path: Path, limit: int, tick: Tick = files.unbounded) -> Iterator[bytes]:
    """Yield the lines of the file as they are, unpacked. Raises TooLarge, and BadFile for a line without an end."""
    rest, number = b"", 1
    for chunk in files.chunks(path, limit, tick):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        number += len(whole)
        if len(rest) > MAX_LINE_BYTES:
            raise BadFile(f"Line {number} is longer than {MAX_LINE_BYTES:,} bytes.")
    if rest:
        yield rest


def first_lines(path: Path, tick: Tick = files.unbounded) -> Iterator[bytes]:
    """Yield the lines that begin in the first FIRST_BYTES of the file, unpacked. Raises as `lines()`."""
    seen = 0
    for line in lines(path, FIRST_BYTES, tick):
        if seen > FIRST_BYTES:
            return
        seen += len(line) + 1
        yield line


def records(found: Iterable[bytes]) -> Iterator[Record]:
    """Yield a record for every line that is not blank; line 1 is the first of the file."""
    for number, line in enumerate(found, 1):
        plain = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if plain.strip():
            yield number, *_record(plain)


def _record(line: bytes) -> tuple[list[str], RowRejected | None]:
    try:
        value = parse_json(line)
    except CatalogError as error:
        reason = error.detail.replace("The body", "The line").replace("The JSON body", "The line")
        return [line.decode(errors="replace")], RowRejected("row", "json", reason)
    if not isinstance(value, dict):
        return [line.decode()], RowRejected("row", "json", "The line is no JSON object.")
    fields = _flat(value)
    cells = [_text(fields.get(name)) for name in FIELDS]
    problem = next((_problem(name, fields[name]) for name in FIELDS if not _fits(name, fields.get(name))), None)
    return cells, problem


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Return the fields by our names: `title` is the name, `rating` holds two of them."""
    fields = dict(value)
    if "title" in fields:
        fields.setdefault("name", fields["title"])
    rating = fields.get("rating")
    if isinstance(rating, dict):
        fields = {"rating_rate": rating.get("rate"), "rating_count": rating.get("count"), **fields}
    elif rating is not None:
        fields["rating_rate"] = rating if not isinstance(rating, int | Decimal) else str(rating)  # is refused
    return fields


def _fits(name: str, value: Any) -> bool:
    if value is None:
        return True
    if name == "active":
        return isinstance(value, bool)
    if name in _NUMBERS or name in _INTEGERS:
        return isinstance(value, int | Decimal) and not isinstance(value, bool) and _is_plain(value)
    return isinstance(value, str)


def _is_plain(number: int | Decimal) -> bool:
    """Tell whether writing the number out is harmless: 1e999999999 would take a gigabyte."""
    return not isinstance(number, Decimal) or abs(number.adjusted()) < 30


def _problem(name: str, value: Any) -> RowRejected:
    return RowRejected(name, "invalid", f"Not a valid {_KINDS.get(name, 'string')}.")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f") if _is_plain(value) else str(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
