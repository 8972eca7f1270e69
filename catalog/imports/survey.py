"""One cheap pass over a whole file, before anything is read for good: its encoding, and about how many rows."""

import codecs
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog.imports import files
from catalog.imports.files import BadFile, Tick

MAX_LINE_BYTES = 1 << 20

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NOT_BONES = bytes(set(range(256)) - set(b'"\r\n'))


class WrongEncoding(BadFile):
    """Some bytes are not text in the encoding that was tried."""

    code = "wrong_encoding"


@dataclass(frozen=True)
class Survey:
    """An encoding that the whole file can be read with, and a hint of the number of its records."""

    encoding: str
    records: int


def survey(path: Path, fallback: str | None, limit: int, tick: Tick = files.unbounded) -> Survey:
    """Find the encoding of a file: its BOM, then strict UTF-8, then `fallback`; and count its records.

    `limit` is the size in bytes that a plain file may have; `tick` is called for every piece of it. Raises
    WrongEncoding that names line and byte, BadFile for what cannot be read as lines, and TooLarge.
    """
    head, _ = files.read_head(path, tick)
    return _first(candidates(head, fallback), lambda name: scan(files.chunks(path, limit, tick), name))


def head_text(path: Path, fallback: str | None, tick: Tick = files.unbounded) -> tuple[str, bool]:
    """Return the first 64 KB as text, and whether that is the whole file. Raises as `survey()`."""
    head, whole = files.read_head(path, tick)
    found = _first(candidates(head, fallback), lambda name: scan([head], name, whole=whole))
    return codecs.getincrementaldecoder(found.encoding)().decode(head), whole


def head_encoding(path: Path, fallback: str | None, tick: Tick = files.unbounded) -> str:
    """Return the encoding that the first 64 KB can be read with. Raises as `survey()`."""
    head, whole = files.read_head(path, tick)
    return _first(candidates(head, fallback), lambda name: scan([head], name, whole=whole)).encoding


def candidates(head: bytes, fallback: str | None) -> list[str]:
    """Return the encodings to try, in order, for a file that begins with `head`."""
    marked = next((encoding for bom, encoding in _BOMS.items() if head.startswith(bom)), None)
    if marked:
        return [marked]
    # Without a BOM, UTF-16 of ASCII text would also pass for UTF-8 with a NUL after each letter.
    if fallback and fallback.startswith("utf-16") and b"\0" in head[:4]:
        return [fallback]
    return list(dict.fromkeys(["utf-8", fallback or "utf-8"]))


def scan(chunks: Iterable[bytes], encoding: str, *, whole: bool = True) -> Survey:
    """Read all chunks as `encoding`; without `whole` the last character may be cut. Raises as `survey()`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    tally = _Tally()
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            tally.add(text.encode() if encoding.startswith("utf-16") else chunk, len(chunk))
        decoder.decode(b"", final=whole)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(encoding, error, tally, chunk) from error
    return Survey(encoding, tally.records())


class _Tally:
    """Counts lines, and line ends outside quotes, chunk by chunk."""

    def __init__(self) -> None:
        self.bytes = self.lines = self._ends = 0
        self._quoted = False
        self._endless = 0
        self._last = b""

    def add(self, chunk: bytes, size: int) -> None:
        bones = chunk.translate(None, _NOT_BONES)
        halved = chunk[:1] == b"\n" and self._last == b"\r"  # one line end, in two chunks
        self._last = chunk[-1:]
        lines = _line_ends(bones) - halved
        self._check_length(lines, size)
        parts = bones.split(b'"')
        self._ends += _line_ends(b"".join(parts[self._quoted :: 2])) - halved
        self._quoted ^= len(parts) % 2 == 0
        self.lines += lines
        self.bytes += size

    def records(self) -> int:
        """Return the records after the header; where quotes do not pair up, the lines are the better hint."""
        return max(0, (self.lines if self._quoted else self._ends) - 1)

    def _check_length(self, lines: int, size: int) -> None:
        self._endless = 0 if lines else self._endless + size
        if self._endless > MAX_LINE_BYTES:
            raise BadFile(f"Line {self.lines + 1} is longer than {MAX_LINE_BYTES:,} bytes.")


def _line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _wrong_encoding(encoding: str, error: UnicodeDecodeError, tally: _Tally, chunk: bytes) -> WrongEncoding:
    # The decoder's object ends where the chunk ends, and may begin with bytes kept from the one before.
    offset = tally.bytes + len(chunk) - len(error.object) + error.start
    line = tally.lines + _line_ends(error.object[: error.start]) + 1
    found = error.object[error.start : error.start + 1].hex()
    return WrongEncoding(
        f"Line {line}, byte {offset + 1}: 0x{found} is not valid {encoding}. Save the file as UTF-8, "
        "or name its encoding in the option `encoding`."
    )


def _first(encodings: list[str], read: Callable[[str], Survey]) -> Survey:
    """Return what `read` makes of the first encoding that fits; raises WrongEncoding of the last one."""
    for encoding in encodings[:-1]:
        try:
            return read(encoding)
        except WrongEncoding:
            continue
    return read(encodings[-1])
