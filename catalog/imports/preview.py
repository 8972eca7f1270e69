"""What the first rows of a file become: read and checked as an import would, but nothing is refused as a whole."""

import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError, FieldError, ValidationFailed
from catalog.imports import mapping, mappings, sources, survey
from catalog.imports.check import RowRejected
from catalog.imports.deadline import Deadline
from catalog.imports.reader import FIELDS, Header, Record
from catalog.transforms import service as transforms

ROWS = 10
LIKELY = "cp1252"  # what a file is in most often when it is not UTF-8


@dataclass(frozen=True)
class Cell:
    """A cell before and after its transforms; `error` says why one of them failed."""

    before: str
    after: str
    error: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of the file, the field that it is to become, and the steps on the way, as they are written."""

    name: str
    field: str | None
    steps: str
    own: bool  # its name is a field's, so that it becomes that without being told
    cells: list[Cell]


@dataclass(frozen=True)
class Row:
    """A row as it would be imported, or why it would be refused."""

    line: int
    error: str | None


@dataclass(frozen=True)
class Preview:
    """A file as it will be read. `errors` are what stands in the way of importing it so."""

    delimiter: str | None
    encoding: str | None
    mappable: bool
    columns: list[Column]
    rows: list[Row]
    missing: list[str]
    document: mapping.Document
    errors: list[FieldError] = field(default_factory=list)


def of(path: Path, filename: str, options: dict[str, Any]) -> Preview:
    """Return the preview of a file; without a mapping the suggested one is taken. Raises BadFile."""
    tick = Deadline()
    textual = isinstance(sources.of(path, filename, options, tick), sources.Text)
    encoding = survey.head_encoding(path, options["encoding"] or LIKELY, tick) if textual else None
    source = sources.of(path, filename, {**options, "encoding": encoding}, tick)
    outline = source.outline()
    rows = source.first_rows(outline, ROWS)
    mappable = not isinstance(source, sources.JsonLines)
    document, errors = _document(options, outline) if mappable else ({}, [])
    columns, more = _columns(document)
    end = time.monotonic() + mapping.TRIED_SECONDS
    judged, problems = _judged(source, columns, end) if not errors + more else ([], [])
    fields = {column.name: column for column in columns}
    return Preview(
        delimiter=outline.delimiter if textual else None,
        encoding=encoding,
        mappable=mappable,
        columns=[_column(place, outline, fields, rows, end) for place in range(len(outline.names))],
        rows=judged,
        missing=[name for name in ("sku", "name") if name not in _reached(outline, columns)],
        document=document,
        errors=[*errors, *more, *problems],
    )


def _document(options: dict[str, Any], outline: Header) -> tuple[mapping.Document, list[FieldError]]:
    try:
        chosen = mappings.chosen(options)
    except ValidationFailed as error:
        return {}, error.errors
    if chosen is not None:
        return chosen, []
    suggested = mappings.suggest(outline.names)["mapping"]
    return {name: target for name, target in suggested.items() if not _is_own(name)}, []


def _columns(document: mapping.Document) -> tuple[list[mapping.Column], list[FieldError]]:
    try:
        return mapping.read(document or None), []
    except ValidationFailed as error:
        return [], error.errors


def _judged(source: sources.Source, columns: list[mapping.Column], end: float) -> tuple[list[Row], list[FieldError]]:
    try:
        header = source.header(mapping.renames(columns))
        checker = mapping.checker(header, columns, end)
    except ValidationFailed as error:
        return [], error.errors
    rows = source.first_rows(header, ROWS)
    return [Row(line, _refusal(checker, _short(cells), found)) for line, cells, found in rows], []


def _short(cells: list[str]) -> list[str]:
    return [cell[: mapping.TRIED_CHARACTERS] for cell in cells]


def _refusal(checker: Any, cells: list[str], problem: str | Exception | None) -> str | None:
    try:
        if isinstance(problem, Exception):
            raise problem
        checker.slow(cells)
    except RowRejected as error:
        return f"{error.field}: {error.message}"
    return None


def _column(place: int, outline: Header, mapped: dict[str, mapping.Column], rows: list[Record], end: float) -> Column:
    name = outline.names[place]
    column = next((one for key, one in mapped.items() if key.strip().lower() == name.strip().lower()), None)
    own = _is_own(name)
    target = column.field if column else _own_field(name) if own else None
    values = [*chain.from_iterable(outline.values(cells[place : place + 1] or [""]) for _, cells, _ in rows)]
    cells = [_cell(value, column, end) for value in values]
    return Column(name, target, " | ".join(_written(column)), own, cells)


def _cell(before: str, column: mapping.Column | None, end: float) -> Cell:
    shown = before[: mapping.TRIED_CHARACTERS]
    try:
        return Cell(shown, transforms.through(column.steps, shown, end) if column else shown)
    except CatalogError as error:
        return Cell(shown, "", error.errors[0]["message"] if error.errors else error.detail)


def _written(column: mapping.Column | None) -> list[str]:
    return [step.written for step in column.steps] if column else []


def _reached(outline: Header, columns: list[mapping.Column]) -> set[str]:
    return {column.field for column in columns} | set(outline.places)


def _is_own(name: str) -> bool:
    return _own_field(name) is not None


def _own_field(name: str) -> str | None:
    plain = name.strip().lower()
    return "name" if plain == "title" else plain if plain in FIELDS else None
