"""A mapping: which column of a file is which field of ours, and the transforms that its cells go through.

{"Titel": "name", "Preis": ["price", "parse_number:de", ["replace", ":", "."]]}
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import CatalogError, FieldError, ValidationFailed, field_error
from catalog.imports.check import SEPARATOR, Checker, RowRejected
from catalog.imports.reader import FIELDS, Header, Record
from catalog.strictjson import parse_json
from catalog.transforms import service as transforms

MAX_STEPS = 20
FIRST_ROWS = 20
TRIED_SECONDS = 1.0  # for all transforms of an upload's first rows, while a client waits
TRIED_CHARACTERS = 64 << 10  # of a cell, as many as the head of a .csv has

Document = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """What becomes of one column: its name in the file, our field, and the steps in between."""

    name: str
    field: str
    steps: Sequence[transforms.Step]


def read(document: Any, field: str = "mapping") -> list[Column]:
    """Return the columns of a mapping, ready to be applied; none for None.

    Raises ValidationFailed that names each wrong entry: unknown fields and transforms, wrong arguments,
    two columns for one field.
    """
    if document is None:
        return []
    if not isinstance(document, Mapping) or not document:
        raise ValidationFailed([field_error(field, 'Must be an object such as {"Title": "name"}.')])
    if "\\u0000" in json.dumps(document, default=str):
        raise ValidationFailed([field_error(field, "Must not contain NUL characters.")])
    errors: list[FieldError] = []
    columns = [column for item in document.items() if (column := _column(*item, field, errors))]
    errors += _doubled(columns, field)
    if errors:
        raise ValidationFailed(errors)
    return columns


def parse(text: str | None) -> Document | None:
    """Return the mapping that a form field holds as JSON. Raises ValidationFailed."""
    if not text:
        return None
    try:
        document = parse_json(text.encode())
    except CatalogError as error:
        raise ValidationFailed([field_error("mapping", f"Must be a JSON object: {error.detail}")]) from error
    return checked(document)


def checked(document: Any) -> Document:
    """Return a mapping as it can be kept, with exact numbers as texts. Raises as `read()`."""
    read(document)
    return json.loads(json.dumps(document, default=str))  # type: ignore[no-any-return]


def renames(columns: Sequence[Column]) -> dict[str, str]:
    """Return the fields by the names of their columns, as the header is read with them."""
    return {column.name: column.field for column in columns}


class MappedChecker(Checker):
    """Checks rows after their cells went through the mapping's transforms, which begin no step after `end`."""

    def __init__(self, header: Header, columns: Sequence[Column], end: float = math.inf):
        """Check the header. Raises ValidationFailed for a mapped column that it does not have."""
        super().__init__(header)
        self.end = end
        self._changes = [(header.places[column.field], column) for column in columns if column.steps]

    def fast(self, cells: list[str]) -> str | None:
        """Return the COPY line of a row that is certainly valid, else None: then `slow()` decides."""
        if len(cells) != self._width:
            return None
        try:
            return self._certain(SEPARATOR.join(self._pick(self._changed(self.header.values(cells)))))
        except transforms.TransformFailed:
            return None

    def _checked(self, values: list[str]) -> str:
        failed = self._failures(values)
        if failed:
            column, why = failed[0]
            raise RowRejected(column.field, "transform", why)
        return super()._checked(self._changed(values))

    def failures(self, cells: list[str]) -> list[tuple[Column, str]]:
        """Return the columns whose transforms fail on a row, or exceed the time, and why."""
        return self._failures(self.header.values(cells))

    def _failures(self, values: list[str]) -> list[tuple[Column, str]]:
        found = []
        for place, column in self._changes:
            try:
                transforms.through(column.steps, values[place], self.end)
            except transforms.TransformFailed as error:
                found.append((column, error.detail))
        return found

    def _changed(self, values: list[str]) -> list[str]:
        changed = values.copy()
        for place, column in self._changes:
            changed[place] = transforms.through(column.steps, values[place], self.end)
        return changed


def checker(header: Header, columns: Sequence[Column], end: float = math.inf) -> Checker:
    """Return what checks the rows under a header; without a mapping nothing stands in their way."""
    return MappedChecker(header, columns, end) if any(column.steps for column in columns) else Checker(header)


def is_tried(cells: Sequence[str]) -> bool:
    """Return whether a row's cells are short enough to be tried while a client waits."""
    return all(len(cell) <= TRIED_CHARACTERS for cell in cells)


def try_out(rows: Sequence[Record], header: Header, columns: Sequence[Column]) -> None:
    """Refuse a mapping one of whose columns fails on each of the first rows, given with their lines.

    A single wrong cell is its row's fault and rejected in the import. Rows with a cell of more than 64 kB are not
    tried, nor those after TRIED_SECONDS. Raises ValidationFailed that names column, line and transform.
    """
    tried = MappedChecker(header, columns, time.monotonic() + TRIED_SECONDS)
    failed: list[dict[str, tuple[int, str]]] = []
    for line, cells, problem in rows:
        if problem is None and len(cells) == len(header.names) and is_tried(cells):
            found = tried.failures(cells)
            if time.monotonic() >= tried.end:
                break
            failed.append({column.name: (line, why) for column, why in found})
    always = [name for name in (failed[0] if failed else ()) if all(name in one for one in failed)]
    if always:
        raise ValidationFailed([_fails(name, *failed[0][name]) for name in always])


def _fails(name: str, line: int, why: str) -> FieldError:
    return field_error(f"mapping.{name}", f"Line {line}, column {name}: {why}", "transform_failed")


def _column(name: str, entry: Any, field: str, errors: list[FieldError]) -> Column | None:
    target, *specified = entry if isinstance(entry, list) and entry else [entry]
    where = f"{field}.{name}"
    if target not in FIELDS:
        errors.append(field_error(where, f"{target!r} is none of the fields {', '.join(FIELDS)}.", "unknown_field"))
        return None
    if len(specified) > MAX_STEPS:
        errors.append(field_error(where, f"At most {MAX_STEPS} transforms.", "too_many"))
        return None
    try:
        return Column(name, target, _steps(specified))
    except _WrongStep as wrong:
        errors.append(field_error(where, *wrong.args))
        return None


class _WrongStep(Exception):
    """A step that is wrong: the message and its code."""


def _steps(specified: Sequence[Any]) -> list[transforms.Step]:
    steps: list[transforms.Step] = []
    for one in specified:
        try:
            steps += transforms.steps([one])
        except ValidationFailed as error:
            said = "; ".join(f"{problem['field']}: {problem['message']}" for problem in error.errors)
            raise _WrongStep(f"The transform {_named(one)}: {said}", error.errors[0]["code"]) from error
        except CatalogError as error:
            raise _WrongStep(error.detail, "unknown_transform") from error
    return steps


def _named(specified: Any) -> str:
    return specified if isinstance(specified, str) else json.dumps(specified, ensure_ascii=False, default=str)[:200]


def _doubled(columns: Sequence[Column], field: str) -> list[FieldError]:
    """Return an error for each column whose field another one has already, or whose name is the same but for case."""
    errors, fields, names = [], dict[str, str](), dict[str, str]()
    for column in columns:
        other = fields.setdefault(column.field, column.name)
        if other != column.name:
            message = f"The columns {other} and {column.name} cannot both be the field {column.field}."
            errors.append(field_error(f"{field}.{column.name}", message, "doubled"))
        same = names.setdefault(column.name.strip().lower(), column.name)
        if same != column.name:
            errors.append(
                field_error(f"{field}.{column.name}", f"The column is named twice, also as {same}.", "doubled")
            )
    return errors
