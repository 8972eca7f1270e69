"""What a cell's type, style and stored text become: the text that a spreadsheet shows."""

from collections.abc import Iterator
from datetime import datetime, time
from itertools import islice

from catalog.imports.xlsx.faults import Fault
from catalog.imports.xlsx.number_formats import MAX_STYLES, Format, plain_number
from catalog.imports.xlsx.shared_strings import SharedStrings, unescaped

_TEXTS = ("str", "inlineStr")
_TRUTHS = {"1": "true", "0": "false", "true": "true", "false": "false"}
_NUMBER_MISSING = "The cell is stored as a {} and holds none."
_NO_RESULT = "The formula has no stored result. Open the file in a spreadsheet program and save it."


class Cells:
    """Reads the cells of one workbook."""

    def __init__(self, strings: SharedStrings, styles: Iterator[Format], first_1904: bool):
        self._strings, self._first_1904 = strings, first_1904
        self._unread_styles, self._styles = styles, list[Format]()

    def read(self, kind: str | None, style: str | None, text: str) -> str:
        """Return the text of a cell that has a value, or a Fault."""
        if kind == "s":
            return self._shared(text)
        if text.isspace() and kind not in _TEXTS:
            return ""
        if kind is None or kind == "n":
            return self._number(style, text)
        if kind == "b":
            return _TRUTHS.get(text.strip()) or Fault(text, "invalid", _NUMBER_MISSING.format("boolean"))
        if kind == "e":
            return Fault(text[:100], "cell_error", f"The cell holds the error {text[:100]}.")
        return _date(text) if kind == "d" else unescaped(text)

    def _shared(self, text: str) -> str:
        number = text.strip()
        found = self._strings.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 16 else None
        if found is None:
            return Fault("", "invalid", "The cell refers to a text that the workbook does not hold.")
        return found

    def _number(self, style: str | None, text: str) -> str:
        number = plain_number(text)
        if number is None:
            return Fault(text, "invalid", _NUMBER_MISSING.format("number"))
        shown = self._format(style) if style else None
        return shown.show(number, self._first_1904) if shown else number

    def _format(self, style: str) -> Format:
        number = int(style) if style.isascii() and style.isdigit() and len(style) < 6 else MAX_STYLES
        if number >= MAX_STYLES:
            return None
        if number >= len(self._styles):
            self._styles += islice(self._unread_styles, number + 1 - len(self._styles))
        return self._styles[number] if number < len(self._styles) else None


def without_result() -> Fault:
    """Return the Fault of a formula that was never calculated."""
    return Fault("", "no_result", _NO_RESULT)


def _date(text: str) -> str:
    """Return an ISO 8601 date as a date format shows it; Strict workbooks store them so."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return unescaped(text)
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat()
