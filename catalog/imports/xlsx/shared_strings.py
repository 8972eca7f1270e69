"""The texts that cells refer to by number: read as far as cells need them, and kept on disk beyond a few megabytes."""

import re
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import ClassVar

from catalog.imports.reader import MAX_FIELD_CHARACTERS
from catalog.imports.xlsx.parsing import State, StateParser

MEMORY_BYTES = 4 << 20  # of the packed texts, then they go to disk
CACHE_CHARACTERS = 4 << 20
BLOCK_STRINGS = 64
BLOCK_CHARACTERS = 16_384
# An escaped character, as in ST_Xstring (ECMA-376 Part 1, 22.9.2.19): _x000D_ is a carriage return.
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEPARATOR = "\0"  # which no XML holds


def unescaped(text: str) -> str:
    """Return a text with its escaped characters; half of a surrogate pair is replaced."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if _SURROGATE.search(text):
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class SharedStrings:
    """Texts by number. They are stored in blocks, of which those in use are kept unpacked."""

    def __init__(self, pieces: Iterator[bytes]):
        self._parser = _ItemParser(pieces)
        self._more = True
        self._count = self._pending_characters = 0
        self._pending: list[str] = []
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
        self._starts, self._offsets = array("Q"), array("Q", [0])
        self._cache: dict[int, list[str]] = {}
        self._cached_characters = 0
        self._first, self._block = 0, list[str]()  # the block that was asked last

    def close(self) -> None:
        """Remove what is on disk."""
        self._file.close()

    def get(self, number: int) -> str | None:
        """Return a text; None where there are not so many. Raises BadFile, TooLarge."""
        place = number - self._first
        if 0 <= place < len(self._block):
            return self._block[place]
        while number >= self._count and self._more:
            self._advance()
        if number >= self._count:
            return None
        if number >= self._count - len(self._pending):
            self._store()
        return self._stored(number)

    def _advance(self) -> None:
        self._more = self._parser.advance()
        for text in self._parser.taken():
            self._pending.append(text)
            self._pending_characters += len(text)
            self._count += 1
            if len(self._pending) == BLOCK_STRINGS or self._pending_characters > BLOCK_CHARACTERS:
                self._store()

    def _store(self) -> None:
        packed = _SEPARATOR.join(self._pending).encode()
        self._file.seek(self._offsets[-1])
        self._file.write(packed)
        self._starts.append(self._count - len(self._pending))
        self._offsets.append(self._offsets[-1] + len(packed))
        self._pending, self._pending_characters = [], 0

    def _stored(self, number: int) -> str:
        block = bisect_right(self._starts, number) - 1
        texts = self._cache.get(block)
        if texts is None:
            texts = self._cache[block] = self._read(block)
            self._cached_characters += sum(map(len, texts))
            self._evict()
        self._first, self._block = self._starts[block], texts
        return texts[number - self._first]

    def _read(self, block: int) -> list[str]:
        start, end = self._offsets[block], self._offsets[block + 1]
        self._file.seek(start)
        return [unescaped(text) for text in self._file.read(end - start).decode().split(_SEPARATOR)]

    def _evict(self) -> None:
        while self._cached_characters > CACHE_CHARACTERS and len(self._cache) > 1:
            oldest = next(iter(self._cache))
            self._cached_characters -= sum(map(len, self._cache.pop(oldest)))


class _ItemParser(StateParser):
    """The items of a shared strings part: plain, or of runs; phonetic readings are none of their text."""

    NEXT: ClassVar[Mapping[State, Mapping[str, State]]] = {
        "": {"sst": "sst"},
        "sst": {"si": "si"},
        "si": {"t": "t", "r": "r"},
        "r": {"t": "run"},
        "t": {},
        "run": {},
    }
    PARENTS: ClassVar[Mapping[State, State]] = {"sst": "", "si": "sst", "t": "si", "r": "si", "run": "r"}
    TEXT: ClassVar[frozenset[State]] = frozenset(["t", "run"])

    def __init__(self, pieces: Iterator[bytes]):
        super().__init__(pieces, MAX_FIELD_CHARACTERS)
        self._found: list[str] = []

    def taken(self) -> list[str]:
        """Return the items that are new."""
        found, self._found = self._found, []
        return found

    def entered(self, state: State, attributes: dict[str, str]) -> None:
        """Begin an item."""
        if state == "si":
            self.text = ""

    def left(self, state: State) -> None:
        """End an item."""
        if state == "si":
            self._found.append(self.text)
            self._skipped = 0
