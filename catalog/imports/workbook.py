"""One sheet of an .xlsx workbook as a table: its header, and the rows below it as records.

Cells are the texts that a spreadsheet shows, as far as that is their value: dates by their number format, numbers
with at most 15 digits, leading zeros where the format shows them. Of formulas the stored result is taken.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from catalog.errors import ValidationFailed, field_error
from catalog.imports.check import RowRejected
from catalog.imports.deadline import TooSlow
from catalog.imports.files import GZIP_FREE_BYTES, GZIP_TIMES_LIMIT, BadFile, Tick
from catalog.imports.reader import MAX_FIELD_CHARACTERS, MAX_RECORD_CHARACTERS, Header, Record
from catalog.imports.xlsx.cells import Cells
from catalog.imports.xlsx.faults import Fault
from catalog.imports.xlsx.number_formats import STYLE_ELEMENTS, read_styles
from catalog.imports.xlsx.package import Package, opened
from catalog.imports.xlsx.parsing import Element, ElementParser, attribute
from catalog.imports.xlsx.shared_strings import SharedStrings
from catalog.imports.xlsx.sheet import MAX_COLUMNS, MAX_ROWS, SheetParser, SheetRow

MAX_SHEETS = 10_000
HEAD_ROWS = 20
ROWS_LOOKED_AHEAD = 100  # for a header that does not stand first in the XML
COLUMNS_BEYOND_HEADER = 100  # that a row which is too wide is reported with
_HEAD_CHARACTERS = 64 << 20


@dataclass(frozen=True)
class Head:
    """The header, which is the first row that is not blank, the first rows below it, and about how many there are."""

    names: list[str]
    rows: list[SheetRow]
    expected: int


def read_head(path: Path, sheet: str | None, tick: Tick) -> Head:
    """Read the first rows. Raises ValidationFailed for a sheet that there is not, BadFile and TooLarge."""
    with _sheet(path, sheet, MAX_COLUMNS, _HEAD_CHARACTERS, tick) as parser:
        header, below = _table(iter(parser))
        rows = _up_to(HEAD_ROWS, below)
        return Head(header.cells if header else [], rows, _expected(parser.dimension))


def records(path: Path, sheet: str | None, header: Header, limit: int, tick: Tick) -> Iterator[Record]:
    """Yield the rows below the header, filled up to its width, every one of them. Raises as `read_head()`.

    Their texts together may have four times `limit` characters.
    """
    width = len(header.names)
    most = max(GZIP_FREE_BYTES, GZIP_TIMES_LIMIT * limit)
    with _sheet(path, sheet, width + COLUMNS_BEYOND_HEADER, most, tick) as parser:
        for row in _table(iter(parser))[1]:
            yield as_record(row, header)
        parser.drain()


def as_record(row: SheetRow, header: Header) -> Record:
    """Return a row as a record; a cell without a value costs its row, if its column is one of our fields."""
    width = len(header.names)
    cells = row.cells + [""] * (width - len(row.cells)) if len(row.cells) < width else row.cells
    return row.number, cells, _problem(row, header) if row.faulty or row.too_long or row.width > width else None


def _problem(row: SheetRow, header: Header) -> RowRejected | None:
    if row.too_long:
        most = f"{MAX_RECORD_CHARACTERS:,} characters, or {MAX_FIELD_CHARACTERS:,} in a cell"
        return RowRejected("row", "too_long", f"Holds more than {most}.")
    if row.width > len(header.names):
        return RowRejected("row", "ragged", f"Has {row.width} fields, the header has {len(header.names)}.")
    for field, place in header.places.items():
        cell = row.cells[place] if place < len(row.cells) else ""
        if isinstance(cell, Fault):
            return RowRejected(field, cell.code, cell.message)
    return None


def _table(rows: Iterator[SheetRow]) -> tuple[SheetRow | None, Iterator[SheetRow]]:
    """Return the header and the other rows. It is the one of the lowest number, though others may stand before it."""
    ahead = _up_to(1, rows)
    if ahead and ahead[0].number > 1:
        ahead += _up_to(ROWS_LOOKED_AHEAD, rows, at_least=0)
    if not ahead:
        return None, iter(())
    header = min(ahead, key=lambda row: row.number)
    return header, _below(header, chain(ahead, rows))


def _below(header: SheetRow, rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
    for row in rows:
        if row.number < header.number:
            message = f"Row {row.number} stands after row {header.number} in the file, which was taken for the header"
            raise BadFile(f"The .xlsx file is damaged: {message}. Open it in a spreadsheet program and save it.")
        if row is not header:
            yield row


def _up_to(count: int, rows: Iterator[SheetRow], at_least: int = 1) -> list[SheetRow]:
    """Return the next rows; where time runs out those that were found, but `at_least` so many."""
    found: list[SheetRow] = []
    try:
        for row in islice(rows, count):
            found.append(row)
    except TooSlow:
        if len(found) < at_least:
            raise
    return found


def _expected(dimension: str) -> int:
    """Return how many rows the sheet says it has below its header; it need not be true."""
    last = dimension.rpartition(":")[2].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ$")
    rows = int(last) if last.isascii() and last.isdigit() and len(last) <= 7 else 0
    return max(0, min(rows, MAX_ROWS) - 1)


@contextmanager
def _sheet(path: Path, name: str | None, columns: int, most: int, tick: Tick) -> Iterator[SheetParser]:
    with opened(path, tick) as package:
        book = _Book(package)
        strings = SharedStrings(book.pieces("sharedStrings"))
        try:
            styles = read_styles(ElementParser(book.pieces("styles"), *STYLE_ELEMENTS))
            cells = Cells(strings, styles, book.first_1904)
            yield SheetParser(package.pieces(book.part_of(name), "worksheet"), cells, columns, most)
        finally:
            strings.close()


class _Sheet(NamedTuple):
    name: str
    part: str
    visible: bool


class _Book:
    """The workbook part: its sheets, and which day its dates count from."""

    def __init__(self, package: Package):
        self._package = package
        part = package.by_role(package.related(""), "officeDocument")
        if part is None:
            raise BadFile("The .xlsx file is damaged: it holds no workbook.")
        if part.lower().endswith(".bin"):
            raise BadFile("The file is a binary workbook. Save it as Excel Workbook (.xlsx) or .csv.")
        self._related = package.related(part)
        self.first_1904 = False
        elements = ElementParser(package.pieces(part, "officeDocument"), "workbookPr", "sheet")
        self._sheets = list(islice(self._worksheets(elements), MAX_SHEETS))

    def pieces(self, role: str) -> Iterator[bytes]:
        """Yield a part of the workbook; what there is not is an empty one."""
        part = self._package.by_role(self._related, role)
        yield from self._package.pieces(part, role) if part else (b"<none/>",)

    def part_of(self, name: str | None) -> str:
        """Return the part of a sheet; without a name, of the first that is shown. Raises ValidationFailed."""
        if not self._sheets:
            raise BadFile("The .xlsx file is damaged: it holds no worksheet.")
        wanted = [one for one in self._sheets if (one.visible if name is None else one.name == name)]
        if name is None:
            wanted = wanted or self._sheets
        if not wanted:
            names = ", ".join(one.name for one in self._sheets)[:500]
            raise ValidationFailed([field_error("sheet", f"The file has no such sheet; it has: {names}.")])
        return wanted[0].part

    def _worksheets(self, elements: Iterable[Element]) -> Iterator[_Sheet]:
        parts = {one.id: one.target for one in self._related if one.role == "worksheet"}
        for _, name, attributes in elements:
            if name == "workbookPr":
                self.first_1904 = attributes.get("date1904") in ("1", "true")
            elif name == "sheet" and (part := parts.get(attribute(attributes, "id") or "")):
                yield _Sheet(attributes.get("name", ""), part, attributes.get("state", "visible") == "visible")
