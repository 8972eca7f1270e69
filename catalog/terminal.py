"""Prints untrusted text on a terminal: control characters are escaped, markup is plain text.

An escape sequence in a name or an error could rewrite the screen, set the window's title or paste into the shell.
Bidirectional marks could reverse a line (CVE-2021-42574).
"""

from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import category

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_WIDTH = 250  # of tables that a program reads, so that ids and URLs are not cut


def visible(text: object) -> str:
    """Return a text with its control and format characters as escapes, such as `\\x1b`; also ends of lines."""
    written = str(text)
    if written.isascii() and written.isprintable():
        return written
    return "".join(_escaped(sign) if category(sign) in _UNSAFE else sign for sign in written)


def visible_lines(text: object) -> str:
    """Return a text with escapes as `visible()`, except for line feeds and tabs."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in str(text).split("\n"))


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def print_table(headings: Iterable[str], rows: Iterable[Sequence[object]], width: int = _WIDTH, **style: Any) -> None:
    """Print a table, `width` wide where the output is no terminal; `style` is of rich's Table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(**style)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console = Console()
    console.width = console.width if console.is_terminal else width
    console.print(table)
