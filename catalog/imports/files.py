"""Product files on disk: what kind a file is, its bytes unpacked, and its lines in blocks of bounded size."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from catalog.errors import BadRequest, TooLarge, UnsupportedMediaType

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx", ".jsonl", ".jsonl.gz")
XLSX = ".xlsx"
HEAD_BYTES = 65_536
CHUNK_BYTES = 1 << 18
LINES_HINT = 1 << 18  # characters that a block of lines holds, about

# Deflate reaches 1,000 : 1, honest product files 30 : 1.
GZIP_RATIO = 250
GZIP_FREE_BYTES = 16 << 20
GZIP_TIMES_LIMIT = 4

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_MAGIC = {
    _ZIP: "an .xlsx or .zip file",
    b"\xd0\xcf\x11\xe0": "an .xls file or one with a password",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"BZh": "a .bz2 file",
    b"\xfd7zXZ": "an .xz file",
    b"(\xb5/\xfd": "a .zst file",
    b"7z\xbc\xaf": "a .7z file",
    b"\x7fELF": "a program",
}


Tick = Callable[[], None]  # called for every piece that is read: raises when it is time to stop


def unbounded() -> None:
    """Never stop."""


class BadFile(BadRequest):
    """The file cannot be read as what its name says; trying again cannot help."""

    code = "bad_file"


def check_name(filename: str) -> None:
    """Raise UnsupportedMediaType where the name is none of SUFFIXES."""
    if not filename.lower().endswith(SUFFIXES):
        raise UnsupportedMediaType(f"{filename!r} is not one of {', '.join(SUFFIXES)}.")


def check_kind(path: Path, filename: str) -> None:
    """Raise UnsupportedMediaType where the name is none of SUFFIXES, or the first bytes are not what it says."""
    check_name(filename)
    name = filename.lower()
    with path.open("rb") as file:
        head = file.read(16)
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if name.endswith(XLSX):
        if not head.startswith(_ZIP):
            raise UnsupportedMediaType(f"{filename!r} is {kind or 'no .xlsx file'}, whatever its name says.")
        return
    if kind:
        raise UnsupportedMediaType(f"{filename!r} is {kind}, whatever its name says.")
    if name.endswith(".gz") != head.startswith(_GZIP):
        found = "not a gzip file" if name.endswith(".gz") else "a gzip file; then its name has to end in .gz"
        raise UnsupportedMediaType(f"{filename!r} is {found}.")


def read_head(path: Path, tick: Tick = unbounded) -> tuple[bytes, bool]:
    """Return the first 64 KB, unpacked, and whether that is the whole file; `tick` as of `chunks()`. Raises BadFile."""
    with _opened(path, tick) as file:
        head = file.read(HEAD_BYTES)
        return head, not file.read(1)


def chunks(path: Path, limit: int, tick: Tick = unbounded) -> Iterator[bytes]:
    """Yield the whole file, unpacked, in pieces of 256 KB; `tick` is called before each, and for each read of a .gz.

    A .gz may hold four times `limit` bytes, and 250 times its own size. Raises TooLarge, and BadFile for
    a .gz that is damaged or cut off.
    """
    size = path.stat().st_size
    allowed = max(GZIP_FREE_BYTES, min(GZIP_TIMES_LIMIT * limit, GZIP_RATIO * size))
    seen = 0
    with _opened(path, tick) as file:
        while chunk := file.read(CHUNK_BYTES):
            tick()
            seen += len(chunk)
            if seen > max(allowed, size):
                raise TooLarge(f"The file unpacks to more than {allowed:,} bytes.")
            yield chunk


def line_blocks(path: Path, encoding: str, tick: Tick = unbounded) -> Iterator[list[str]]:
    """Yield the lines of the file, with their ends, in lists of about 256 thousand characters; `tick` before each."""
    with _opened(path, tick) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
        while block := text.readlines(LINES_HINT):
            tick()
            yield block


class _Ticking:
    """A packed file whose reads call the tick: millions of its bytes may unpack to none, within one `read()`."""

    def __init__(self, raw: IO[bytes], tick: Tick):
        self._raw, self._tick = raw, tick

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises what the tick raises."""
        self._tick()
        return self._raw.read(min(size, CHUNK_BYTES) if size >= 0 else CHUNK_BYTES)


@contextmanager
def _opened(path: Path, tick: Tick) -> Iterator[IO[bytes]]:
    """Open the file for its unpacked bytes; what is wrong with a .gz is raised as BadFile."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            yield gzip.GzipFile(fileobj=_Ticking(raw, tick)) if packed else raw  # type: ignore[call-overload]
    except EOFError as error:
        raise BadFile("The .gz file is cut off: its end is missing.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadFile(f"The .gz file is damaged: {error}.") from error
