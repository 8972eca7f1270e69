"""Escapes and unescapes formulas in CSV, against formula injection (OWASP: CSV Injection).

A spreadsheet runs a text that begins with one of FORMULA_STARTS. Such a text, also after apostrophes, is written with
one more apostrophe and read with one less, so that every value survives a round trip: =1, '=1 and ''=1.
"""

import re
from collections.abc import Iterable

FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # the last four are full-width: = + - @ in Japanese and Chinese

_UNSAFE = re.compile(f"'*[{re.escape(FORMULA_STARTS)}]")
_ESCAPED = re.compile(f"'('*[{re.escape(FORMULA_STARTS)}])")
_ESCAPED_IN_LINE = re.compile(f"((?:^|\x1f))'('*[{re.escape(FORMULA_STARTS)}])")
_SPLITS = re.compile('[",;|\t\r\n]')  # delimiters of programs that expect other than commas, too


def escape_formula(text: str) -> str:
    """Return the cell for a text."""
    return f"'{text}" if _UNSAFE.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text of a cell."""
    return cell[1:] if cell.startswith("'") and _ESCAPED.match(cell) else cell


def unescape_formulas_in_line(line: str) -> str:
    """Return the texts of cells that are joined by unit separators, joined likewise."""
    return _ESCAPED_IN_LINE.sub(r"\1\2", line)


def csv_line(texts: Iterable[str]) -> str:
    """Return a line of CSV with its end: formulas escaped, and cells with any usual delimiter quoted."""
    line = ",".join(_quoted(escape_formula(text)) for text in texts)
    return (line or '""') + "\r\n"  # a blank line would be no row


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _SPLITS.search(cell) else cell
