"""The rows of one sheet, as they come in its XML: nothing is filled in between them, whatever their numbers are."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from catalog.errors import TooLarge
from catalog.imports.deadline import TooSlow
from catalog.imports.files import BadFile
from catalog.imports.reader import MAX_FIELD_CHARACTERS, MAX_RECORD_CHARACTERS
from catalog.imports.xlsx.cells import Cells, without_result
from catalog.imports.xlsx.faults import Fault
from catalog.imports.xlsx.parsing import State, StateParser

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
_DIGITS = "0123456789"
_SHOWN_CHARACTERS = 1_000  # of the cells of a row that is too long


class SheetRow(NamedTuple):
    """A row that is not blank. `width` counts its cells up to the last that is not empty, `cells` may be fewer."""

    number: int
    cells: list[str]
    width: int
    faulty: bool
    too_long: bool


class _RawRow(NamedTuple):
    """A row as it is parsed: a list up to its last column would take a hundred times what its XML does."""

    number: int
    cells: dict[int, str]
    width: int
    faulty: bool
    in_order: bool

    def filled(self, columns: int) -> SheetRow:
        width = min(self.width, columns)
        if self.in_order and len(self.cells) == width:
            cells = list(self.cells.values())
        else:
            cells = [self.cells.get(column, "") for column in range(width)]
        characters = sum(map(len, cells))
        too_long = characters > MAX_FIELD_CHARACTERS and _is_too_long(cells, characters)
        shown = [cell[:_SHOWN_CHARACTERS] for cell in cells] if too_long else cells
        return SheetRow(self.number, shown, self.width, self.faulty, too_long)


class SheetParser(StateParser):
    """Parses a sheet up to the end of its rows. Cells beyond `columns` are counted and not kept.

    The texts of all cells together may have `most` characters: many of them may refer to one shared text.
    """

    NEXT: ClassVar[Mapping[State, Mapping[str, State]]] = {
        "": {"worksheet": "worksheet"},
        "worksheet": {"sheetData": "sheetData", "dimension": "dimension"},
        "dimension": {},
        "sheetData": {"row": "row"},
        "row": {"c": "c"},
        "c": {"v": "v", "is": "is", "f": "f"},
        "is": {"t": "t", "r": "r"},
        "r": {"t": "run"},
        "v": {},
        "f": {},
        "t": {},
        "run": {},
    }
    PARENTS: ClassVar[Mapping[State, State]] = {
        **{"worksheet": "", "sheetData": "worksheet", "dimension": "worksheet", "row": "sheetData", "c": "row"},
        **{"v": "c", "is": "c", "f": "c", "t": "is", "r": "is", "run": "r"},
    }
    TEXT: ClassVar[frozenset[State]] = frozenset(["v", "t", "run"])

    def __init__(self, pieces: Iterator[bytes], cells: Cells, columns: int, most: int):
        super().__init__(pieces, MAX_FIELD_CHARACTERS)
        self.dimension, self.ended = "", False
        self._reader, self._columns, self._most = cells, columns, most
        self._rows: list[_RawRow] = []
        self._number = self._row_count = self._cell_count = 0
        self._column, self._width = -1, 0
        self._cells: dict[int, str] = {}
        self._faulty, self._in_order = False, True
        self._text_size = 0
        self._attributes: dict[str, str] = {}
        self._has_value = self._has_formula = False

    def __iter__(self) -> Iterator[SheetRow]:
        more = True
        while more and not self.ended:
            slow = None
            try:
                more = self.advance()
            except TooSlow as error:
                slow = error  # the rows before the one that takes so long are given out first
            rows, self._rows = self._rows, []
            for row in rows:
                yield row.filled(self._columns)
            if slow:
                raise slow

    def entered(self, state: State, attributes: dict[str, str]) -> None:
        """Begin a row or a cell."""
        if state == "c":
            self._attributes, self.text = attributes, ""
            self._has_value = self._has_formula = False
        elif state == "v":
            self._has_value = True
        elif state == "row":
            self._begin_row(attributes.get("r"))
        elif state == "f":
            self._has_formula = True
        elif state == "is":
            self._attributes = {**self._attributes, "t": "inlineStr"}
        elif state == "dimension":
            self.dimension = attributes.get("ref", "")

    def left(self, state: State) -> None:
        """End a cell or a row."""
        if state == "c":
            self._end_cell()
        elif state == "row":
            self._end_row()
        elif state == "sheetData":
            self.ended = True

    def _begin_row(self, number: str | None) -> None:
        self._row_count += 1
        self._number = self._number + 1 if number is None else _row_number(number)
        if max(self._number, self._row_count) > MAX_ROWS:
            raise BadFile(f"The .xlsx file is damaged: no sheet has more than {MAX_ROWS:,} rows.")
        self._column, self._width, self._cell_count = -1, 0, 0
        self._cells, self._faulty, self._in_order = {}, False, True

    def _end_row(self) -> None:
        self._skipped = 0
        if self._width:
            self._rows.append(_RawRow(self._number, self._cells, self._width, self._faulty, self._in_order))

    def _end_cell(self) -> None:
        attributes = self._attributes
        reference = attributes.get("r")
        column = self._column + 1 if reference is None else _COLUMNS[reference.rstrip(_DIGITS)]
        self._in_order = self._in_order and column > self._column
        self._column = column
        self._cell_count += 1
        if max(column, self._cell_count - 1) >= MAX_COLUMNS:
            raise BadFile(f"The .xlsx file is damaged: no sheet has more than {MAX_COLUMNS:,} columns.")
        kind = attributes.get("t")
        if self.text:
            self._put(column, self._reader.read(kind, attributes.get("s"), self.text))
        elif self._has_formula and not (kind == "str" and self._has_value):
            self._put(column, without_result())

    def _put(self, column: int, value: str) -> None:
        if isinstance(value, Fault):
            self._faulty = True
        elif not value:
            return
        self._text_size += len(value)
        if self._text_size > self._most:
            raise TooLarge(f"The cells of the sheet hold more than {self._most:,} characters.")
        if column < self._columns:
            self._cells[column] = value
        if column >= self._width and not value.isspace():
            self._width = column + 1


def _is_too_long(cells: list[str], characters: int) -> bool:
    return characters > MAX_RECORD_CHARACTERS or max(map(len, cells)) > MAX_FIELD_CHARACTERS


def _row_number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MAX_ROWS and len(text) < 20:
        return int(text)
    raise BadFile(f"The .xlsx file is damaged: {text[:40]!r} is no row that a sheet can have.")


class _Columns(dict[str, int]):
    """Columns by their letters, A being 0; each is worked out once."""

    def __missing__(self, letters: str) -> int:
        column = 0
        for letter in letters[:4]:
            column = column * 26 + ord(letter) - 64
        if not letters.isascii() or not letters.isalpha() or not letters.isupper() or column > MAX_COLUMNS:
            raise BadFile(f"The .xlsx file is damaged: {letters[:40]!r} is no column that a sheet can have.")
        self[letters] = column - 1
        return column - 1


_COLUMNS = _Columns()
