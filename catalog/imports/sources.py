"""The kinds of files that are imported: how each shows its header, is surveyed, and yields its records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from catalog.errors import ValidationFailed, field_error
from catalog.formula_escaping import unescape_formula
from catalog.imports import files, jsonlines, reader, workbook
from catalog.imports.deadline import Deadline
from catalog.imports.files import Tick
from catalog.imports.reader import Header, Record
from catalog.imports.survey import Survey, head_text, survey


@dataclass(frozen=True)
class Text:
    """A .csv or .tsv, plain or .gz."""

    path: Path
    options: dict[str, Any]
    tick: Tick

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the header; `renames` as of `reader.read_header()`. Raises ValidationFailed and BadFile."""
        text, whole = head_text(self.path, self.options["encoding"], self.tick)
        header = reader.read_header(text, self.options["delimiter"], renames)
        if whole and not reader.has_rows(text, header):
            raise ValidationFailed([field_error("file", "The file has a header and no rows.", "empty")])
        return header

    def outline(self) -> Header:
        """Return the header as it is, whatever it lacks. Raises BadFile."""
        return reader.outline(head_text(self.path, self.options["encoding"], self.tick)[0], self.options["delimiter"])

    def first_rows(self, header: Header, count: int) -> list[Record]:
        """Return the first rows."""
        text, whole = head_text(self.path, self.options["encoding"], self.tick)
        return [(line, cells, None) for line, cells in reader.first_rows(text, header, count, whole=whole)]

    def survey(self, limit: int) -> Survey:
        """Return the encoding, and about how many records there are. Raises as `survey.survey()`."""
        return survey(self.path, self.options["encoding"], limit, self.tick)

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the records after the header."""
        blocks = files.line_blocks(self.path, found.encoding, self.tick)
        return islice(reader.records(blocks, header.delimiter), 1, None)


@dataclass(frozen=True)
class JsonLines:
    """A .jsonl, plain or .gz."""

    path: Path
    options: dict[str, Any]
    tick: Tick

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the columns, which have the API's names. Raises ValidationFailed, also for a mapping, and BadFile."""
        if renames:
            raise ValidationFailed([field_error("mapping", "A .jsonl file has the API's own names; it takes none.")])
        return jsonlines.read_header(self.path, self.tick)

    def outline(self) -> Header:
        """Return the columns, which have the API's names. Raises as `header()`."""
        return jsonlines.read_header(self.path, self.tick)

    def first_rows(self, header: Header, count: int) -> list[Record]:
        """Return the first rows of the first megabyte; what is no record is left out."""
        found = jsonlines.records(jsonlines.first_lines(self.path, self.tick))
        return [record for record in islice(found, count) if record[2] is None]

    def survey(self, limit: int) -> Survey:
        """Return how many lines there are. Raises TooLarge and BadFile."""
        return Survey("utf-8", sum(1 for line in jsonlines.lines(self.path, limit, self.tick) if line.strip()))

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the records."""
        return jsonlines.records(jsonlines.lines(self.path, limit, self.tick))


@dataclass(frozen=True)
class Workbook:
    """One sheet of an .xlsx."""

    path: Path
    options: dict[str, Any]
    tick: Tick

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the first row of the sheet; `renames` as of `reader.read_header()`. Raises as that, and BadFile."""
        header = reader.header_of(self._head.names, renames)
        if not self._head.rows:
            raise ValidationFailed([field_error("file", "The sheet has a header and no rows.", "empty")])
        return header

    def outline(self) -> Header:
        """Return the first row of the sheet, whatever it lacks. Raises as `header()`."""
        return reader.outline_of(self._head.names)

    def first_rows(self, header: Header, count: int) -> list[Record]:
        """Return the first rows, with those that cannot be imported."""
        return [workbook.as_record(row, header) for row in self._head.rows[:count]]

    def survey(self, limit: int) -> Survey:
        """Return how many rows the sheet says it has."""
        return Survey("xlsx", self._head.expected)

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the rows after the header."""
        return workbook.records(self.path, self._sheet, header, limit, self.tick)

    @cached_property
    def _head(self) -> workbook.Head:
        return workbook.read_head(self.path, self._sheet, self.tick)

    @property
    def _sheet(self) -> str | None:
        return self.options.get("sheet") or None


Source = Text | JsonLines | Workbook


def row_values(filename: str, cells: list[str]) -> list[str]:
    """Return the values of a stored row's cells, which were read from a file of this name."""
    return cells if _is_jsonl(filename) else [unescape_formula(cell) for cell in cells]


def _is_jsonl(filename: str) -> bool:
    return filename.lower().removesuffix(".gz").endswith(jsonlines.SUFFIX)


def of(path: Path, filename: str, options: dict[str, Any], tick: Tick | None = None) -> Source:
    """Return how to read an uploaded file, by its name. Without a `tick` its head is read, within two seconds."""
    tick = tick or Deadline()
    name = filename.lower().removesuffix(".gz")
    if name.endswith(".xlsx"):
        return Workbook(path, options, tick)
    return JsonLines(path, options, tick) if _is_jsonl(filename) else Text(path, options, tick)
