"""Strict JSON: what is read from outside, bounded and unambiguous, and its fingerprint."""

import hashlib
import json
from collections import Counter
from typing import Any, NoReturn

from catalog.errors import BadRequest, TooLarge
from catalog.numbers import exact

JSON_MAX_BYTES = 1_000_000
JSON_MAX_DEPTH = 32

_BRACES_AS_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_PIECE_BYTES = 1 << 16


def parse_json(raw: bytes) -> Any:
    """Parse a request's JSON body; numbers with a fraction become Decimal, so that money stays exact.

    Stricter than `json.loads`, as RFC 8259 and RFC 7493 (I-JSON) advise: no NaN or Infinity, no doubled
    keys, no lone surrogates, no exponents beyond ±400, at most 32 levels. Raises BadRequest or TooLarge.
    """
    if len(raw) > JSON_MAX_BYTES:
        raise TooLarge(f"The JSON body is larger than {JSON_MAX_BYTES:,} bytes.")
    try:
        _check_depth(raw)
        text = raw.decode("utf-8")
        value = _strict.decode(text)
        if "\\ud" in text.lower():  # an escaped surrogate: half a pair is no text
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeError as error:
        raise BadRequest("The body is not valid UTF-8 text.") from error
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from error
    return value


def _check_depth(raw: bytes) -> None:
    """Peel the innermost brackets off, level by level: linear, and no recursion for a hostile body."""
    if raw.count(b"[") + raw.count(b"{") <= JSON_MAX_DEPTH:
        return  # as deep as that at most; whether all are closed, the decoder tells
    brackets = _outside_strings(raw.replace(b"\\\\", b"").replace(b'\\"', b""))
    for _ in range(JSON_MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")
        if peeled == brackets:
            break
        brackets = peeled
    if brackets:
        raise BadRequest(f"The JSON body is nested deeper than {JSON_MAX_DEPTH} levels, or its brackets do not match.")


def _outside_strings(raw: bytes) -> bytes:
    """Return the brackets that are no text. Piece by piece, since a string is a small object and there may be many."""
    marks = raw.translate(_BRACES_AS_BRACKETS, delete=_NO_MARKS).replace(b'""', b"")
    found, inside = [], 0
    for start in range(0, len(marks), _PIECE_BYTES):
        pieces = marks[start : start + _PIECE_BYTES].split(b'"')
        found.append(b"".join(pieces[inside::2]))
        inside ^= (len(pieces) - 1) & 1
    return b"".join(found)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((doubled, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {doubled[:100]!r} occurs twice")
    return found


_strict = json.JSONDecoder(parse_float=exact, parse_constant=_refuse_constant, object_pairs_hook=_without_doubles)


def fingerprint(value: Any) -> bytes:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), default=lambda number: [str(number)])
    return hashlib.sha256(written.encode()).digest()
