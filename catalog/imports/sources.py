"""The kinds of files that are imported: how each shows its header, is surveyed, and yields its records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from catalog.errors import ValidationFailed, field_error
from catalog.imports import files, jsonlines, reader, workbook
from catalog.imports.reader import Header, Record
from catalog.imports.survey import Survey, head_text, survey

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Text:
    """A .csv or .tsv, plain or .gz."""

    path: Path
    options: dict[str, Any]

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the header; `renames` as of `reader.read_header()`. Raises ValidationFailed and BadFile."""
        text, whole = head_text(self.path, self.options["encoding"])
        header = reader.read_header(text, self.options["delimiter"], renames)
        if whole and not reader.has_rows(text, header):
            raise ValidationFailed([field_error("file", "The file has a header and no rows.", "empty")])
        return header

    def outline(self) -> Header:
        """Return the header as it is, whatever it lacks. Raises BadFile."""
        return reader.outline(head_text(self.path, self.options["encoding"])[0], self.options["delimiter"])

    def first_rows(self, header: Header, count: int) -> list[Row]:
        """Return the first rows with their lines."""
        text, whole = head_text(self.path, self.options["encoding"])
        return reader.first_rows(text, header, count, whole=whole)

    def survey(self, limit: int) -> Survey:
        """Return the encoding, and about how many records there are. Raises as `survey.survey()`."""
        return survey(self.path, self.options["encoding"], limit)

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the records after the header."""
        return islice(reader.records(files.line_blocks(self.path, found.encoding), header.delimiter), 1, None)


@dataclass(frozen=True)
class JsonLines:
    """A .jsonl, plain or .gz."""

    path: Path
    options: dict[str, Any]

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the columns, which have the API's names. Raises ValidationFailed, also for a mapping, and BadFile."""
        if renames:
            raise ValidationFailed([field_error("mapping", "A .jsonl file has the API's own names; it takes none.")])
        return jsonlines.read_header(self.path)

    def outline(self) -> Header:
        """Return the columns, which have the API's names. Raises as `header()`."""
        return jsonlines.read_header(self.path)

    def first_rows(self, header: Header, count: int) -> list[Row]:
        """Return the first rows with their lines; what is no record is left out."""
        found = jsonlines.records(jsonlines.lines(self.path, 1 << 40))
        return [(number, cells) for number, cells, problem in islice(found, count) if problem is None]

    def survey(self, limit: int) -> Survey:
        """Return how many lines there are. Raises TooLarge and BadFile."""
        return Survey("utf-8", sum(1 for line in jsonlines.lines(self.path, limit) if line.strip()))

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the records."""
        return jsonlines.records(jsonlines.lines(self.path, limit))


@dataclass(frozen=True)
class Workbook:
    """One sheet of an .xlsx."""

    path: Path
    options: dict[str, Any]

    def header(self, renames: Mapping[str, str]) -> Header:
        """Return the first row of the sheet; `renames` as of `reader.read_header()`. Raises as that, and BadFile."""
        return workbook.read_header(self.path, self.options.get("sheet") or None, renames)

    def outline(self) -> Header:
        """Return the first row of the sheet, whatever it lacks. Raises as `header()`."""
        return workbook.outline(self.path, self.options.get("sheet") or None)

    def first_rows(self, header: Header, count: int) -> list[Row]:
        """Return the first rows with their numbers."""
        rows = workbook.records(self.path, self.options.get("sheet") or None, len(header.names))
        return [(number, cells) for number, cells, _ in islice(rows, count)]

    def survey(self, limit: int) -> Survey:
        """Return how many rows the sheet says it has."""
        return Survey("xlsx", workbook.rows_hint(self.path, self.options.get("sheet") or None))

    def records(self, found: Survey, header: Header, limit: int) -> Iterator[Record]:
        """Yield the rows after the first."""
        return workbook.records(self.path, self.options.get("sheet") or None, len(header.names))


Source = Text | JsonLines | Workbook


def of(path: Path, filename: str, options: dict[str, Any]) -> Source:
    """Return how to read an uploaded file, by its name."""
    name = filename.lower().removesuffix(".gz")
    if name.endswith(".xlsx"):
        return Workbook(path, options)
    return JsonLines(path, options) if name.endswith(".jsonl") else Text(path, options)
