"""The apostrophe before cells that a spreadsheet would take for a formula: exports put it there, imports take it off.

A cell that begins with = + - @, a tab or a carriage return, after any apostrophes, has one apostrophe too many in a
file that was guarded. Taking one off brings every cell back, also those that began with one themselves.
"""

import re

_GUARDED = re.compile(r"'('*[=+\-@\t\r])")
_GUARDED_IN_LINE = re.compile(r"((?:^|\x1f))'('*[=+\-@\t\r])")


def taken_off(cell: str) -> str:
    """Return a cell without its guard, if it has one."""
    return cell[1:] if _GUARDED.match(cell) else cell


def taken_off_line(line: str) -> str:
    """Return cells that are joined by unit separators without their guards."""
    return _GUARDED_IN_LINE.sub(r"\1\2", line)
