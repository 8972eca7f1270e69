"""Arguments by annotation: how a text, a JSON value or another transform's result becomes what a function takes.

Texts have at most 131,072 characters, as a cell of a file has, and numbers 30 digits on either side of the
point, so that no chain of transforms can be made to fill the memory.
"""

import inspect
import json
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from catalog.numbers import exact

MAX_CHARACTERS = 131_072
TRUE = frozenset({"true", "1", "yes", "y", "t"})
FALSE = frozenset({"false", "0", "no", "n", "f"})

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_LARGEST = Decimal(10) ** 30

Convert = Callable[[Any], Any]


class NotConvertible(ValueError):
    """A value that is not what the function takes; the message says what it must be."""


@dataclass(frozen=True)
class Argument:
    """One parameter: `many` is a `*name`, which takes any number of values."""

    name: str
    kind: str
    convert: Convert
    default: Any
    many: bool

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> "Argument":
        """Read it from a signature. Raises TypeError for an annotation that is not known here."""
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            raise TypeError(f"`{parameter.name}` could not be given by its place.")
        try:
            kind, convert = reader(parameter.annotation)
        except KeyError:
            raise TypeError(f"`{parameter.name}` needs one of the annotations {', '.join(_NAMES)}.") from None
        return cls(parameter.name, kind, convert, parameter.default, parameter.kind is parameter.VAR_POSITIONAL)

    @property
    def required(self) -> bool:
        """Whether the function cannot do without it."""
        return self.default is inspect.Parameter.empty and not self.many


def reader(annotation: Any) -> tuple[str, Convert]:
    """Return what an annotation is called and the function that converts to it. Raises KeyError."""
    if get_origin(annotation) is Literal:
        words = get_args(annotation)
        return "|".join(words), _one_of(words)
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        kind, convert = reader(inner[0] if len(inner) == 1 else None)
        return kind, lambda value: None if value is None else convert(value)
    return _KINDS[annotation]


def shown(argument: Argument) -> str:
    """Return an argument as it stands in a signature."""
    optional = not argument.required and not argument.many
    default = "none" if argument.default is None else as_text(argument.default if optional else "") or '""'
    return f"{'*' if argument.many else ''}{argument.name}: {argument.kind}{f' = {default}' if optional else ''}"


def as_text(value: Any) -> str:
    """Return a result as text: numbers plain, truth as true or false, nothing as an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def check_length(text: str) -> str:
    """Return the text. Raises NotConvertible for one that is too long."""
    if len(text) > MAX_CHARACTERS:
        raise NotConvertible(f"Must have at most {MAX_CHARACTERS:,} characters.")
    return text


def to_text(value: Any) -> str:
    """Return a text as it is, a number or truth written out. Raises NotConvertible."""
    if isinstance(value, str):
        return check_length(value)
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, Decimal):
        return as_text(to_number(value))
    raise NotConvertible("Must be a text.")


def to_number(value: Any) -> Decimal:
    """Return an exact number from ASCII digits with a decimal point, or from a JSON number. Raises NotConvertible."""
    if isinstance(value, str):
        plain = value.strip()
        if not _NUMBER.fullmatch(plain):
            raise NotConvertible(f"Must be a number such as 1234.5, not {plain[:50]!r}.")
        return Decimal(plain)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotConvertible("Must be a number.")
    number = Decimal(value)
    if not number.is_finite() or abs(number) >= _LARGEST or int(number.as_tuple().exponent) < -30:
        raise NotConvertible("Must be a number of at most 30 digits before and 30 after the point.")
    return number


def to_whole(value: Any) -> int:
    """Return a whole number of at most nine digits. Raises NotConvertible."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite() and abs(number) < 10**9 and number == number.to_integral_value():
            return int(number)
    raise NotConvertible("Must be a whole number of at most nine digits.")


def to_truth(value: Any) -> bool:
    """Return true/false, 1/0, yes/no, y/n or t/f, in any case, as a bool. Raises NotConvertible."""
    word = as_text(value).strip().lower()
    if word not in TRUE | FALSE:
        raise NotConvertible("Must be true or false, 1 or 0, yes or no.")
    return word in TRUE


def to_table(value: Any) -> dict[str, str]:
    """Return a JSON object, or its text, as a table from text to text. Raises NotConvertible."""
    try:
        table = json.loads(value, parse_float=exact) if isinstance(value, str) else value
        return {key: to_text(entry) for key, entry in table.items()}
    except (ValueError, AttributeError, RecursionError):
        raise NotConvertible('Must be a JSON object from text to text, such as {"S": "small"}.') from None


def _one_of(words: tuple[str, ...]) -> Convert:
    def convert(value: Any) -> str:
        if value not in words:
            raise NotConvertible(f"Must be one of: {', '.join(words)}.")
        return str(value)

    return convert


_KINDS: dict[Any, tuple[str, Convert]] = {
    str: ("text", to_text),
    Decimal: ("number", to_number),
    int: ("whole number", to_whole),
    bool: ("true/false", to_truth),
    dict[str, str]: ("table", to_table),
}
_NAMES = [getattr(kind, "__name__", str(kind)) for kind in _KINDS]
