"""Records out of lines, numbered as in the file. Broken quoting costs its own record, never those after it."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from catalog.errors import ValidationFailed, field_error
from catalog.formula_escaping import unescape_formula
from catalog.imports.files import BadFile

MAX_RECORD_CHARACTERS = 2 << 20
MAX_FIELD_CHARACTERS = 1 << 20  # the longest description that a JSON body brings, and an export gives out
csv.field_size_limit(MAX_FIELD_CHARACTERS)  # of the whole process
MAX_WASTED_LINES = 100_000_000
DELIMITERS = (",", ";", "\t", "|")
FIELDS = (
    "sku",
    "name",
    "description",
    "active",
    "price",
    "stock_quantity",
    "category",
    "image",
    "rating_rate",
    "rating_count",
)
OURS = ("_line", "_field", "_error")  # what errors.csv adds to a row
_OPEN_AT_END = "unexpected end of data"  # what the csv module calls a quote that is never closed
_SYNONYMS = {"title": "name"}

# The line that a record starts on, its fields, and why it is no record (then `fields` is the raw line)
# or, as an error, why it cannot be imported.
Record = tuple[int, list[str], "str | Exception | None"]


@dataclass(frozen=True)
class Header:
    """The first record: its names as they are, and where in a row each of our fields is."""

    delimiter: str
    names: list[str]
    places: dict[str, int]
    ignored: list[str]
    escaped: bool = True  # cells that begin like a formula may have an apostrophe before them, as in our exports

    def values(self, cells: list[str]) -> list[str]:
        """Return the values of a row's cells, without escapes of formulas."""
        return _unescaped(cells) if self.escaped else cells


def records(blocks: Iterable[list[str]], delimiter: str) -> Iterator[Record]:
    """Yield every record of the lines; blank lines are none. Line 1 is the first of the file.

    A record that the csv module refuses is yielded as its first line with the reason, and reading goes on
    at the line after that. Raises BadFile for a record of more than two million characters, and where so
    much quoting is broken that reading again and again would take hours.
    """
    return iter(_Reader(blocks, delimiter))


class _Reader:
    """The lines that are not yet records, and how often lines were read in vain."""

    def __init__(self, blocks: Iterable[list[str]], delimiter: str):
        self.blocks, self.delimiter = blocks, delimiter
        self.lines: list[str] = []
        self.first = 1  # the number of lines[0]
        self.wasted = 0

    def __iter__(self) -> Iterator[Record]:
        for block in self.blocks:
            self.lines += block
            yield from self._parse(last=False)
            if sum(map(len, self.lines)) > MAX_RECORD_CHARACTERS:
                raise BadFile(f"Line {self.first}: the record is too long. Is a quote left open?")
        yield from self._parse(last=True)

    def _parse(self, *, last: bool) -> Iterator[Record]:
        """Yield the complete records and keep the lines of one that may go on in the next block."""
        done = 0
        while True:
            reader = csv.reader(islice(self.lines, done, None), delimiter=self.delimiter, strict=True)
            start = done
            try:
                for fields in reader:
                    if fields:
                        yield self.first + done, fields, None
                    done = start + reader.line_num
                break
            except csv.Error as error:
                if not last and str(error) == _OPEN_AT_END:
                    break
                self._waste(start + reader.line_num - done)
                yield self.first + done, [self.lines[done]], _reason(error)
                done += 1
        self.first, self.lines = self.first + done, self.lines[done:]

    def _waste(self, lines: int) -> None:
        self.wasted += lines
        if self.wasted > MAX_WASTED_LINES:
            raise BadFile(f"Line {self.first}: too much of the quoting is broken up to here.")


def _reason(error: csv.Error) -> str:
    reason = str(error)
    if reason == _OPEN_AT_END:
        return "A quote is opened and never closed."
    if "field limit" in reason:
        return f"A field is longer than {MAX_FIELD_CHARACTERS:,} characters. Is a quote left open?"
    return f"The quoting is broken: {reason}."


def read_header(text: str, delimiter: str | None = None, renames: Mapping[str, str] | None = None) -> Header:
    """Return the header of the file that begins with `text`; the delimiter is sniffed unless given.

    `renames` says which columns are which fields of ours. Raises ValidationFailed for a header that is
    missing, doubled, empty, or without `sku` or `name`, or without a column of `renames`.
    """
    meant = _meant(renames)
    found = [_header(text, one, meant) for one in ([delimiter] if delimiter else DELIMITERS)]
    best = max(found, key=lambda header: ({"sku", "name"} <= header.places.keys(), len(header.names)))
    _check_renames(best, renames or {})
    _check_header(best, meant)
    return best


def outline(text: str, delimiter: str | None = None) -> Header:
    """Return the header of a file as it is, whatever it lacks, to be shown to people."""
    found = [_header(text, one, {}) for one in ([delimiter] if delimiter else DELIMITERS)]
    return max(found, key=lambda header: (len(header.names), len(header.places)))


def outline_of(cells: list[str]) -> Header:
    """Return the header that these cells are, whatever it lacks."""
    return _of_names(_unescaped(cells), "", {})


def header_of(cells: list[str], renames: Mapping[str, str] | None = None) -> Header:
    """Return the header that these cells are. Raises as `read_header()`."""
    return stored_header(_unescaped(cells), renames)


def stored_header(names: list[str], renames: Mapping[str, str] | None = None) -> Header:
    """Return the header of an import from its stored names. Raises as `read_header()`."""
    meant = _meant(renames)
    header = _of_names(names, "", meant)
    _check_renames(header, renames or {})
    _check_header(header, meant)
    return header


def first_rows(text: str, header: Header, count: int, *, whole: bool) -> list[tuple[int, list[str]]]:
    """Return the first rows with their lines; unless `text` is the whole file, its last line is left out."""
    lines = _lines(text)
    rows = islice(records([lines if whole else lines[:-1]], header.delimiter), 1, count + 1)
    return [(line, cells) for line, cells, problem in rows if problem is None]


def has_rows(text: str, header: Header) -> bool:
    """Tell whether anything but blank lines follows the header in `text`."""
    return next(islice(records([_lines(text)], header.delimiter), 1, None), None) is not None


def _lines(text: str) -> list[str]:
    # Not str.splitlines(), which also splits at form feeds and other characters that may be in a field.
    return list(io.StringIO(text, newline=""))


def _header(text: str, delimiter: str, meant: Mapping[str, str]) -> Header:
    _, names, problem = next(records([_lines(text)], delimiter), (1, [], None))
    return _of_names([] if problem else _unescaped(names), delimiter, meant)


def _unescaped(cells: list[str]) -> list[str]:
    return [unescape_formula(cell) for cell in cells]


def _of_names(names: list[str], delimiter: str, meant: Mapping[str, str]) -> Header:
    fields = _plain(names, meant)
    places = {field: fields.index(field) for field in FIELDS if field in fields}
    ignored = [field for field in fields if field not in (*FIELDS, *OURS)]
    return Header(delimiter, names, places, ignored)


def _meant(renames: Mapping[str, str] | None) -> dict[str, str]:
    return {name.strip().lower(): field for name, field in (renames or {}).items()}


def _plain(names: list[str], meant: Mapping[str, str]) -> list[str]:
    plain = [name.strip().lower() for name in names]
    return [meant.get(name) or _SYNONYMS.get(name, name) for name in plain]


def _check_renames(header: Header, renames: Mapping[str, str]) -> None:
    there = {name.strip().lower() for name in header.names}
    missing = [name for name in renames if name.strip().lower() not in there]
    if missing:
        message = f"The header has no such column: it reads {_shown(header)}."
        raise ValidationFailed([field_error(f"mapping.{name}", message, "no_column") for name in missing])


def _check_header(header: Header, meant: Mapping[str, str]) -> None:
    names = _plain(header.names, meant)
    doubled = next((name for name, times in Counter(names).items() if times > 1), None)
    if not names:
        raise _refused("The file is empty.")
    if any("\0" in name for name in names):
        raise _refused("The header holds NUL characters. If the file is UTF-16, say so in the option `encoding`.")
    if missing := [name for name in ("sku", "name") if name not in names]:
        raise _refused(f"The header has no column {' and no column '.join(missing)}: it reads {_shown(header)}.")
    if "" in names:
        raise _refused(f"Column {names.index('') + 1} of the header has no name.")
    if doubled is not None:
        same = [name for name, field in zip(header.names, names, strict=True) if field == doubled]
        means = f": {' and '.join(same)} are the same field" if meant else ""
        raise _refused(f"The header names the column {doubled} twice{means}.")


def _shown(header: Header) -> str:
    return repr(header.delimiter.join(header.names)[:200])


def _refused(message: str) -> ValidationFailed:
    return ValidationFailed([field_error("file", message, "bad_header")])
