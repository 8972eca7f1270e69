"""XML of a workbook's parts, parsed piece by piece with expat; bounded in tokens, names and depth, and without DTDs.

Names are compared without their prefix and namespace, so Transitional, Strict and prefixed documents are read alike.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

# A document type declaration is refused, so that no entity is ever declared.
from xml.parsers import expat  # nosec B406

from catalog.imports.files import BadFile

MAX_TOKEN_BYTES = 1 << 20  # one tag with its attributes, one comment
MAX_NAMES = 10_000  # different names of elements and attributes: expat keeps each of them
MAX_DEPTH = 256
MAX_SKIPPED = 1_000_000  # elements in a row that hold no cell

State = str


class Parser:
    """An expat parser over pieces of bytes. Subclasses handle elements, and give out what they found."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = pieces
        self._names: dict[str, str] = {}
        self._fed = 0
        self._expat = expat.ParserCreate(intern=self._names)
        self._expat.buffer_text = True
        self._expat.buffer_size = 1 << 16
        self._expat.StartDoctypeDeclHandler = _refuse_doctype

    def advance(self) -> bool:
        """Parse the next piece; return False after the last one. Raises BadFile."""
        piece = next(self._pieces, b"")
        try:
            self._expat.Parse(piece, not piece)
        except expat.ExpatError as error:
            raise BadFile(f"The .xlsx file is damaged: its XML is {error}.") from error
        except (LookupError, UnicodeError) as error:  # of an unknown encoding
            raise BadFile("The .xlsx file is damaged: its XML has an unknown encoding.") from error
        self._fed += len(piece)
        if self._fed - max(0, self._expat.CurrentByteIndex) > MAX_TOKEN_BYTES and piece:
            raise BadFile(f"The .xlsx file is damaged: a tag is longer than {MAX_TOKEN_BYTES:,} bytes.")
        if len(self._names) > MAX_NAMES:
            raise BadFile(f"The .xlsx file is damaged: its XML has more than {MAX_NAMES:,} different names.")
        return bool(piece)

    def drain(self) -> None:
        """Read the pieces that are left, without parsing them: only then is the part known to be whole."""
        for _ in self._pieces:
            pass


class Element(NamedTuple):
    """A start tag: the name of the element that it is in, its own name, and its attributes."""

    parent: str
    name: str
    attributes: dict[str, str]


class ElementParser(Parser):
    """Yields the start tags of the elements of some names."""

    def __init__(self, pieces: Iterator[bytes], *wanted: str):
        super().__init__(pieces)
        self._wanted = frozenset(wanted)
        self._open: list[str] = [""]
        self._found: list[Element] = []
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def __iter__(self) -> Iterator[Element]:
        more = True
        while more:
            more = self.advance()
            found, self._found = self._found, []
            yield from found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name in self._wanted:
            self._found.append(Element(self._open[-1], name, attributes))
        self._open.append(name)
        if len(self._open) > MAX_DEPTH:
            raise _too_deep()

    def _end(self, _name: str) -> None:
        self._open.pop()


class StateParser(Parser):
    """Follows the elements that `NEXT` names, from "" on, and skips all others with whatever they hold.

    A state is the name of the element that is open. `text` collects the character data of the states in `TEXT`.
    """

    NEXT: ClassVar[Mapping[State, Mapping[str, State]]]
    PARENTS: ClassVar[Mapping[State, State]]
    TEXT: ClassVar[frozenset[State]]

    def __init__(self, pieces: Iterator[bytes], longest_text: int):
        super().__init__(pieces)
        self.text = ""
        self._longest = longest_text
        self._state: State = ""
        self._next = self.NEXT[""]
        self._depth = self._skipped = 0
        self._collecting = False
        self._expat.CharacterDataHandler = self._characters
        self._resume()

    def entered(self, state: State, attributes: dict[str, str]) -> None:
        """Handle a start tag."""
        raise NotImplementedError

    def left(self, state: State) -> None:
        """Handle an end tag."""
        raise NotImplementedError

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        state = self._next.get(name) or self._next.get(local(name))
        if state is None:
            self._skip()
            return
        self._state, self._next = state, self.NEXT[state]
        if state in self.TEXT:
            self._collecting = True
        self.entered(state, attributes)

    def _end(self, _name: str) -> None:
        state = self._state
        self._state = parent = self.PARENTS[state]
        self._next = self.NEXT[parent]
        self._collecting = False
        self.left(state)

    def _characters(self, data: str) -> None:
        if self._collecting:
            self.text += data
            if len(self.text) > self._longest:
                self.text = self.text[: self._longest + 1]  # too long, which is seen; the rest is not kept

    def _resume(self) -> None:
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def _skip(self) -> None:
        self._expat.StartElementHandler = self._skip_start
        self._expat.EndElementHandler = self._skip_end
        self._collecting = False
        self._skip_start("", {})

    def _skip_start(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._skipped += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep()
        if self._skipped > MAX_SKIPPED:
            raise BadFile(f"The .xlsx file holds more than {MAX_SKIPPED:,} elements without a cell.")

    def _skip_end(self, _name: str) -> None:
        self._depth -= 1
        if not self._depth:
            self._collecting = self._state in self.TEXT
            self._resume()


def local(name: str) -> str:
    """Return a name without its prefix."""
    return name.rpartition(":")[2]


def attribute(attributes: Mapping[str, str], name: str) -> str | None:
    """Return the value of an attribute that has a prefix, whichever it is."""
    return next((value for key, value in attributes.items() if key.endswith(f":{name}")), None)


def _refuse_doctype(*_: Any) -> None:
    raise BadFile("The .xlsx file is damaged: its XML has a document type declaration.")


def _too_deep() -> BadFile:
    return BadFile(f"The .xlsx file is damaged: its XML is nested deeper than {MAX_DEPTH} elements.")
