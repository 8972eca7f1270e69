"""Calling transforms: once with all arguments, or as steps that a value goes through, one after the other."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from catalog.errors import CatalogError, FieldError, NotFound, ValidationFailed, field_error
from catalog.transforms.arguments import Argument, NotConvertible, as_text, check_length, to_number
from catalog.transforms.registry import Transform, registry

text_of = as_text
_DIVIDERS = re.compile(r"(?<!\\):")


class TransformFailed(CatalogError):
    """A value that the transform `name` cannot make anything of."""

    status, code = 400, "transform_failed"

    def __init__(self, name: str, reason: str):
        super().__init__(f"The transform `{name}` failed: {reason}", errors=[field_error(name, reason, self.code)])
        self.name = name


def listing() -> list[Transform]:
    """Return all transforms by name."""
    return registry().all()


def page() -> dict[str, Any]:
    """Return all transforms as {"items", "total"}."""
    found = listing()
    return {"items": found, "total": len(found)}


def get(name: str) -> Transform:
    """Return a transform. Raises NotFound."""
    found = registry().get(name)
    if found is None:
        raise NotFound(f"There is no transform `{name}`.")
    return found


def call(name: str, arguments: Sequence[Any] | Mapping[str, Any]) -> Any:
    """Return what the transform makes of its arguments, given in order or by name.

    Raises NotFound, ValidationFailed with the arguments' names, and TransformFailed.
    """
    transform = get(name)
    named = arguments if isinstance(arguments, Mapping) else _named(transform, arguments)
    return _outcome(transform, _converted(transform.arguments, named))


def answer(name: str, arguments: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Return `call()` as {"name", "result", "text"}: a JSON value, and the same exactly, as text."""
    result = call(name, arguments)
    whole = isinstance(result, Decimal) and result == result.to_integral_value()
    return {"name": name, "result": int(result) if whole else result, "text": as_text(result)}


class Step:
    """A transform with all its arguments but the first, ready to be applied to many values."""

    def __init__(self, name: str, arguments: Sequence[Any]):
        """Convert the arguments once. Raises NotFound and ValidationFailed."""
        self.transform = get(name)
        self.written = ":".join([name, *(str(argument).replace(":", "\\:") for argument in arguments)])
        first, *others = self.transform.arguments
        named = _named(self.transform, [None, *arguments])
        del named[first.name]
        self._convert = first.convert
        self._passes_empty = not self.transform.takes_empty
        self._fixed = _converted(others, named)

    def apply(self, value: Any) -> Any:
        """Return what becomes of a value. Raises TransformFailed, whatever a package's function raises."""
        if self._passes_empty and (value is None or (isinstance(value, str) and not value.strip())):
            return ""
        try:
            values = [self._convert(value), *self._fixed]
        except NotConvertible as error:
            raise TransformFailed(self.transform.name, str(error)) from error
        return _outcome(self.transform, values)


def steps(specified: Sequence[Any]) -> list[Step]:
    r"""Return the steps of `["strip", "round_to:2", ["replace", ":", ";"]]`: a colon divides, `\:` is one.

    Raises NotFound, and ValidationFailed with the names of wrong arguments.
    """
    return [Step(name, arguments) for name, *arguments in map(_parts, specified)]


def through(steps: Sequence[Step], text: str, end: float = math.inf) -> str:
    """Return a text after all steps, as text. Raises TransformFailed, also for a step that would begin after `end`.

    `end` is a value of time.monotonic().
    """
    value: Any = text
    for step in steps:
        if end < math.inf and time.monotonic() >= end:
            raise TransformFailed(step.transform.name, "Not tried: the time for trying the mapping is over.")
        value = step.apply(value)
    return value if isinstance(value, str) else as_text(value)


def _parts(specified: Any) -> list[Any]:
    if isinstance(specified, str):
        return [part.replace("\\:", ":") for part in _DIVIDERS.split(specified)]
    if isinstance(specified, list) and specified and isinstance(specified[0], str):
        return specified
    raise ValidationFailed([field_error("transform", 'Must be "name:argument" or ["name", argument].')])


def _named(transform: Transform, values: Sequence[Any]) -> dict[str, Any]:
    """Return values by the names of the arguments in whose places they are. Raises ValidationFailed."""
    arguments = transform.arguments
    if len(values) > len(arguments) and not arguments[-1].many:
        message = f"Takes at most {len(arguments)}: {transform.signature}; {len(values)} are given."
        raise ValidationFailed([field_error("arguments", message, "too_many")])
    named = {argument.name: value for argument, value in zip(arguments, values, strict=False)}
    if arguments[-1].many:
        named[arguments[-1].name] = list(values[len(arguments) - 1 :])
    return named


def _converted(arguments: Sequence[Argument], named: Mapping[str, Any]) -> list[Any]:
    """Return the values that the function takes, in its order. Raises ValidationFailed that names each wrong one."""
    known = {argument.name for argument in arguments}
    errors = [field_error(name, "There is no such argument.", "unknown_field") for name in named if name not in known]
    converted: list[Any] = []
    for argument in arguments:
        converted += _values(argument, named, errors)
    if errors:
        raise ValidationFailed(errors)
    return converted


def _values(argument: Argument, named: Mapping[str, Any], errors: list[FieldError]) -> list[Any]:
    if argument.name not in named:
        if argument.required:
            errors.append(field_error(argument.name, "Missing argument.", "required"))
        return [] if argument.many else [argument.default]
    given = named[argument.name]
    try:
        return [argument.convert(value) for value in (given if argument.many and isinstance(given, list) else [given])]
    except NotConvertible as error:
        errors.append(field_error(argument.name, str(error)))
        return []


def _outcome(transform: Transform, values: list[Any]) -> Any:
    """Return the result, bounded as arguments are. Raises TransformFailed for any error of the function."""
    try:
        result = transform(values)
        if isinstance(result, Decimal):
            return to_number(result)
        check_length(result if isinstance(result, str) else as_text(result))
        return result
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError | ArithmeticError) else repr(error)
        raise TransformFailed(transform.name, reason) from error
