"""The package of an .xlsx: a zip whose parts are found by their relationships and content types, not by their names.

A part is bounded by its role before it is unpacked, and is unpacked no further than it says. Parts that no cell needs
(themes, drawings, properties, pictures) are never opened.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import IO
from urllib.parse import unquote

from catalog.errors import TooLarge
from catalog.imports.files import GZIP_FREE_BYTES, GZIP_RATIO, BadFile, Tick
from catalog.imports.xlsx.parsing import ElementParser

MAX_DIRECTORY_BYTES = 2 << 20  # about 20,000 parts
PIECE_BYTES = 1 << 16
_ENCRYPTED = 1
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes as much memory as the file says

# The most that a part may unpack to, by its role.
MAX_BYTES = {
    "relationships": 1 << 20,
    "contentTypes": 8 << 20,
    "officeDocument": 8 << 20,
    "styles": 64 << 20,
    "sharedStrings": 1 << 30,
    "worksheet": 4 << 30,
}
_CONTENT_TYPES = {
    "officeDocument": ".main+xml",
    "sharedStrings": ".sharedStrings+xml",
    "styles": ".styles+xml",
}


@dataclass(frozen=True)
class Relationship:
    """A part that another one refers to; `role` is the last word of the relationship's type."""

    id: str
    role: str
    target: str


class Package:
    """An opened .xlsx."""

    def __init__(self, file: zipfile.ZipFile, packed: int, tick: Tick):
        self._file, self._packed, self._tick = file, packed, tick
        self._parts = {_plain(part.filename): part for part in file.infolist()}

    def pieces(self, name: str, role: str) -> Iterator[bytes]:
        """Yield the bytes of a part in pieces of 64 KB. Raises BadFile, TooLarge, and what the tick raises."""
        part = self._parts.get(_plain(name))
        if part is None:
            raise BadFile(f"The .xlsx file is damaged: the part {name[:200]!r} is missing.")
        self._check(part, role)
        with _zip_errors():
            stream = self._file.open(part)
        with stream:
            while piece := _read(stream):
                self._tick()
                yield piece

    def related(self, name: str) -> list[Relationship]:
        """Return the parts that a part, or with "" the package, refers to."""
        folder, base = dirname(name), name.rpartition("/")[2]
        relationships = join(folder, "_rels", f"{base}.rels")
        if _plain(relationships) not in self._parts:
            return []
        elements = ElementParser(self.pieces(relationships, "relationships"), "Relationship")
        found = (one.attributes for one in elements)
        return [
            Relationship(one.get("Id", ""), one.get("Type", "").rpartition("/")[2], _target(folder, one["Target"]))
            for one in found
            if "Target" in one and one.get("TargetMode") != "External"
        ]

    def by_role(self, related: list[Relationship], role: str) -> str | None:
        """Return the part of a role that there is one of: by relationship, else by content type."""
        found = next((one.target for one in related if one.role == role), None)
        return found if found is not None else self._by_content_type(_CONTENT_TYPES[role])

    def _by_content_type(self, ending: str) -> str | None:
        if _plain("[Content_Types].xml") not in self._parts:
            return None
        for one in ElementParser(self.pieces("[Content_Types].xml", "contentTypes"), "Override"):
            if one.attributes.get("ContentType", "").endswith(ending):
                return one.attributes.get("PartName")
        return None

    def _check(self, part: zipfile.ZipInfo, role: str) -> None:
        if part.flag_bits & _ENCRYPTED:
            raise BadFile("The .xlsx file is protected by a password. Remove the password and upload it again.")
        if part.compress_type not in _PACKINGS:
            raise BadFile("The .xlsx file is damaged: it is compressed in a way that workbooks are not.")
        allowed = min(MAX_BYTES[role], max(GZIP_FREE_BYTES, GZIP_RATIO * self._packed))
        if part.file_size > allowed:
            raise TooLarge("The .xlsx file unpacks to more than is accepted. Save the sheet as .csv.")


@contextmanager
def opened(path: Path, tick: Tick) -> Iterator[Package]:
    """Open a package. Raises BadFile, TooLarge, and FileNotFoundError."""
    with _SmallReads(io.FileIO(path)) as raw:
        with _zip_errors():
            file = zipfile.ZipFile(raw)
        with file:
            yield Package(file, path.stat().st_size, tick)


def _read(stream: IO[bytes]) -> bytes:
    with _zip_errors():
        return stream.read(PIECE_BYTES)


class _SmallReads(io.BufferedReader):
    """A file that is never read by more than the directory may have: zipfile reads all of that at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = size if size is not None and size >= 0 else self._rest()
        if wanted > MAX_DIRECTORY_BYTES:
            raise TooLarge("The .xlsx file has too many parts. Save the sheet as .csv.")
        return super().read(wanted)

    def _rest(self) -> int:
        here = self.tell()
        rest = self.seek(0, io.SEEK_END) - here
        self.seek(here)
        return rest


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Raise BadFile for whatever zipfile makes of a damaged file: it documents one of a dozen errors."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(f"The .xlsx file is damaged: {str(error)[:300]!r}.") from error
    except (ValueError, OSError, EOFError, RuntimeError, LookupError, ArithmeticError, struct.error) as error:
        raise BadFile("The .xlsx file is damaged: it cannot be unpacked.") from error


def _target(folder: str, target: str) -> str:
    return normpath(join("/", folder, target.replace("\\", "/")))


def _plain(name: str) -> str:
    """Return a part's name as it is compared: names of parts are the same whatever their case."""
    return unquote(name.replace("\\", "/")).lstrip("/").lower()
