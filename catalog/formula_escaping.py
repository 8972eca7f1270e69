"""CSV that is safe to open in a spreadsheet (formula injection, OWASP), and back to the values that it was made of.

A text that a spreadsheet takes for a formula begins with one of FORMULA_STARTS. Such a text, also after apostrophes,
is written with one apostrophe more and read with one less, so that every value comes back: =1, '=1 and ''=1.
"""

import re
from collections.abc import Iterable

FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # the last four are full-width: = + - @ in Japanese and Chinese

_UNSAFE = re.compile(f"'*[{re.escape(FORMULA_STARTS)}]")
_ESCAPED = re.compile(f"'('*[{re.escape(FORMULA_STARTS)}])")
_ESCAPED_IN_LINE = re.compile(f"((?:^|\x1f))'('*[{re.escape(FORMULA_STARTS)}])")
_SPLITS = re.compile('[",;|\t\r\n]')  # a delimiter for one program or another, however the file is meant


def escape_formula(text: str) -> str:
    """Return a text as it is written to a cell."""
    return f"'{text}" if _UNSAFE.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text that a cell was written for."""
    return cell[1:] if cell.startswith("'") and _ESCAPED.match(cell) else cell


def unescape_formulas_in_line(line: str) -> str:
    """Return cells that are joined by unit separators as the texts that they were written for."""
    return _ESCAPED_IN_LINE.sub(r"\1\2", line)


def csv_line(texts: Iterable[str]) -> str:
    """Return a line of CSV with its end: formulas escaped, and quoted what any usual delimiter would split."""
    line = ",".join(_quoted(escape_formula(text)) for text in texts)
    return (line or '""') + "\r\n"  # a blank line would be no row


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _SPLITS.search(cell) else cell
