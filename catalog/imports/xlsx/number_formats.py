"""Number formats, as far as they decide what a number is: a date, a time, or digits with leading zeros.

Other formats (decimals, thousands, percent, currencies, colours) only show a number in another way and are ignored.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from catalog.imports.xlsx.faults import Fault
from catalog.imports.xlsx.parsing import Element

MAX_STYLES = 65_536  # a workbook of Excel has at most 65,490 cell formats
MAX_CODE_CHARACTERS = 255
STYLE_ELEMENTS = ("numFmt", "xf", "cellStyles", "dxfs")  # that `read_styles()` needs
# Of the formats that have no code in the file; 27 to 36 and 50 to 58 are dates in East Asian versions.
_BUILT_IN_DATES = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_BUILT_IN_ELAPSED = 46

_LAST_DAY = date(9999, 12, 31)
_FALSE_LEAP_DAY = 60  # Excel has a 29 February 1900, and counts it
# Text in quotes, an escaped or a padding character, or a bracket: none of them is a placeholder.
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[([^\]]*)\]')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_SHOWN = re.compile(r'"([^"]*)"|\\(.)|(0+)|([-/ .:()])')


@dataclass(frozen=True)
class DateFormat:
    """Shows a number as a date, a date with a time, or a time."""

    elapsed: bool = False

    def show(self, number: str, first_1904: bool) -> str:
        """Return the ISO form, or the hours that have elapsed; a Fault for what is no date."""
        days = float(number)
        if self.elapsed:
            return _hours(days)
        day = _day(int(days), first_1904) if 0 <= days < 3_000_000 else None
        seconds = timedelta(milliseconds=round(days % 1 * 86_400_000)) if day else timedelta()
        if day is None or (day == _LAST_DAY and seconds.days):
            return Fault(number, "no_date", "The number is no date that a spreadsheet can show.")
        return _iso(day, seconds, days)


@dataclass(frozen=True)
class PaddedFormat:
    """Shows a whole number with leading zeros; `parts` are lengths of digits, and texts between them."""

    parts: tuple[int | str, ...]

    def show(self, number: str, first_1904: bool) -> str:
        """Return the digits as they are shown; a number with decimals as it is."""
        sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
        if not digits.isdigit():
            return number
        digits = digits.zfill(sum(part for part in self.parts if isinstance(part, int)))
        return sign + "".join(self._pieces(digits))

    def _pieces(self, digits: str) -> Iterator[str]:
        rest = sum(part for part in self.parts if isinstance(part, int))
        started = False
        for part in self.parts:
            if isinstance(part, str):
                yield part
                continue
            end = len(digits) - (rest - part)
            yield digits[0 if not started else len(digits) - rest : end]
            rest, started = rest - part, True


Format = DateFormat | PaddedFormat | None


def of_code(code: str) -> Format:
    """Return what a format code makes of a positive number; None where it is a number all the same."""
    if len(code) > MAX_CODE_CHARACTERS:
        return None
    first = _sections(code)
    if _ELAPSED.search(first):
        return DateFormat(elapsed=True)
    placeholders = _LITERAL.sub("", first)
    if placeholders.strip().lower() != "general" and re.search("[ymdhs]", placeholders, re.IGNORECASE):
        return DateFormat()
    return _padded(first)


def read_styles(elements: Iterable[Element]) -> Iterator[Format]:
    """Yield the format of each cell style in turn, from the elements of the styles' part."""
    codes: dict[str, Format] = {}
    for one in elements:
        if one.parent == "numFmts" and one.name == "numFmt" and len(codes) < MAX_STYLES:
            codes[one.attributes.get("numFmtId", "")] = of_code(one.attributes.get("formatCode", ""))
        elif one.parent == "cellXfs" and one.name == "xf":
            number = one.attributes.get("numFmtId", "")
            yield codes[number] if number in codes else _built_in(number)
        elif one.name in ("cellStyles", "dxfs"):
            return


def _built_in(number: str) -> Format:
    known = int(number) if number.isascii() and number.isdigit() and len(number) <= 3 else 0
    return DateFormat(elapsed=known == _BUILT_IN_ELAPSED) if known in _BUILT_IN_DATES else None


def _sections(code: str) -> str:
    """Return the first section, which is for positive numbers."""
    kept = re.match(r'(?:"[^"]*"|\\.|[^;"\\])*', code)
    return kept.group() if kept else ""


def _padded(code: str) -> Format:
    parts: list[int | str] = []
    code = re.sub(r"\[(?!\$[^-])[^\]]*\]|_.|\*.", "", code).lstrip("#")
    place = 0
    while place < len(code):
        found = _SHOWN.match(code, place)
        if not found:
            return None
        parts.append(len(found[3]) if found[3] else found[1] or found[2] or found[4] or "")
        place = found.end()
    return PaddedFormat(tuple(parts)) if _is_padding(parts) else None


def _is_padding(parts: list[int | str]) -> bool:
    """Tell whether these are leading zeros: two at least, no decimals after a point, and no unit after them."""
    zeros = sum(part for part in parts if isinstance(part, int))
    places = [place for place, part in enumerate(parts) if isinstance(part, int)]
    after = parts[places[-1] + 1 :] if places else []
    decimals = "." in parts and len(places) == 2 and parts.index(".") == places[0] + 1
    return zeros >= 2 and not any(str(part).strip() for part in after) and not decimals


def _day(number: int, first_1904: bool) -> date | None:
    first_1900 = date(1899, 12, 31) if number < _FALSE_LEAP_DAY else date(1899, 12, 30)
    first = date(1904, 1, 1) if first_1904 else first_1900
    try:
        return first + timedelta(days=number)
    except OverflowError:
        return None


def _iso(day: date, seconds: timedelta, days: float) -> str:
    moment = datetime(day.year, day.month, day.day) + seconds  # noqa: DTZ001 - a spreadsheet's times have no zone
    if days < 1:
        return moment.time().isoformat()
    return moment.isoformat() if seconds % timedelta(days=1) else moment.date().isoformat()


def _hours(days: float) -> str:
    seconds = round(abs(days) * 86_400)
    sign = "-" if days < 0 and seconds else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def plain_number(text: str) -> str | None:
    """Return a number as text: at most 15 significant digits, no exponent; None for what is none."""
    if _CANONICAL.fullmatch(text):
        return text
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return str(int(text))
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return format(Decimal(f"{value:.15g}"), "f") if abs(value) < float("inf") else None


_CANONICAL = re.compile(r"0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,6})\.[0-9]{0,7}[1-9]")
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
