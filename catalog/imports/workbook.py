"""One sheet of an .xlsx file, row by row. What it unpacks to is bounded before any of it is read.

Numbers become text as a spreadsheet shows them: 12.0 is 12, and 15 digits count. Of formulas the last result is
taken. The rows are numbered as in the sheet; blank ones are none.
"""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import ParseError
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from catalog.errors import TooLarge, ValidationFailed, field_error
from catalog.imports import reader
from catalog.imports.files import GZIP_FREE_BYTES, GZIP_RATIO, BadFile
from catalog.imports.reader import Header, Record

MAX_PARTS = 2_000
MAX_PART_BYTES = 64 << 20  # of all but the sheets, which alone are not held in memory
MAX_UNPACKED_BYTES = 4 << 30
MAX_COLUMNS = 1_000

_BROKEN = (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, EOFError, OSError, IndexError)


def read_header(path: Path, sheet: str | None, renames: Mapping[str, str]) -> Header:
    """Return the first row that is not blank, as the header; `renames` says which columns are which fields of ours.

    Raises ValidationFailed for a sheet that there is not, and a header without what it needs; BadFile, TooLarge.
    """
    rows = [cells for _, cells in islice(_rows(path, sheet), 2)]
    header = reader.header_of(rows[0] if rows else [], renames)
    if len(rows) < 2:
        raise ValidationFailed([field_error("file", "The sheet has a header and no rows.", "empty")])
    return header


def outline(path: Path, sheet: str | None) -> Header:
    """Return the first row that is not blank, whatever it lacks, to be shown to people. Raises as `read_header()`."""
    rows = [cells for _, cells in islice(_rows(path, sheet), 1)]
    return reader.outline_of(rows[0] if rows else [])


def rows_hint(path: Path, sheet: str | None) -> int:
    """Return how many rows the sheet says it has below its header; it need not be true."""
    with _opened(path, sheet) as found:
        return max(0, (found.max_row or 1) - 1)


def records(path: Path, sheet: str | None, width: int) -> Iterator[Record]:
    """Yield the rows below the header, filled up to its width. Raises as `read_header()`."""
    for number, cells in islice(_rows(path, sheet), 1, None):
        yield number, cells + [""] * (width - len(cells)), None


def _rows(path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    with _opened(path, sheet) as found:
        found.reset_dimensions()  # they may claim anything, and would be filled up with empty cells
        for number, values in enumerate(found.iter_rows(values_only=True, max_col=MAX_COLUMNS), 1):
            if cells := _cells(values):
                yield number, cells


@contextmanager
def _opened(path: Path, sheet: str | None) -> Iterator[Any]:
    _check_size(path)
    try:
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            yield _chosen(book, sheet)
    except _BROKEN as error:
        raise BadFile(f"The .xlsx file is damaged: {error}.") from error


def _chosen(book: Any, sheet: str | None) -> Any:
    names = [one.title for one in book.worksheets]
    if not names or (sheet is not None and sheet not in names):
        raise ValidationFailed([field_error("sheet", f"The file has no such sheet; it has: {', '.join(names)[:500]}.")])
    return book[sheet if sheet is not None else names[0]]


def _check_size(path: Path) -> None:
    """Raise TooLarge for what unpacks to more than an honest file does; no part unpacks to more than it says."""
    try:
        with zipfile.ZipFile(path) as parts:
            found = parts.infolist()
    except _BROKEN as error:
        raise BadFile(f"The .xlsx file is damaged: {error}.") from error
    allowed = min(MAX_UNPACKED_BYTES, max(GZIP_FREE_BYTES, GZIP_RATIO * path.stat().st_size))
    in_memory = max((part.file_size for part in found if "/worksheets/" not in part.filename), default=0)
    if len(found) > MAX_PARTS or in_memory > MAX_PART_BYTES or sum(part.file_size for part in found) > allowed:
        raise TooLarge("The .xlsx file unpacks to more than is accepted. Save the sheet as .csv.")


def _cells(values: tuple[Any, ...]) -> list[str]:
    cells = [_text(value) for value in values]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(f"{value:.15g}"), "f")
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return value.isoformat() if isinstance(value, date | time) else str(value)
