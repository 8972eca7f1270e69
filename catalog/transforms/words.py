"""Texts."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import re2

from catalog.transforms import register
from catalog.transforms.arguments import MAX_CHARACTERS

_MAX_PATTERN = 1_000
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe"}
    | {"ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}  # not to be taken apart, so they would be gone
)


@register()
def to_lowercase(text: str) -> str:
    """Write in lower case."""
    return text.lower()


@register()
def to_uppercase(text: str) -> str:
    """Write in upper case."""
    return text.upper()


@register()
def title_case(text: str) -> str:
    """Begin each word with a capital, the rest in lower case."""
    return _WORD.sub(lambda word: word[0].capitalize(), text)


def _compared(text: str, characters: str | None = None) -> int:
    return len(text) * len(characters or "")


@register(work=_compared)
def strip(text: str, characters: str | None = None) -> str:
    """Remove space, or the given characters, from both ends."""
    return text.strip(characters)


@register()
def collapse_spaces(text: str) -> str:
    """Make one space of each run of white space, and none at the ends."""
    return " ".join(text.split())


@register()
def replace(text: str, old: str, new: str) -> str:
    """Replace every occurrence of a text by another."""
    if not old:
        raise ValueError("`old` must not be empty.")
    if len(new) > len(old) and len(text) + text.count(old) * (len(new) - len(old)) > MAX_CHARACTERS:
        raise ValueError(f"The result would have more than {MAX_CHARACTERS:,} characters.")
    return text.replace(old, new)


def _simulated(text: str, pattern: str, _: int = 0) -> int:
    """Return the steps of the slowest of RE2's ways: each instruction of the pattern at each byte."""
    return (len(text) if text.isascii() else len(text.encode())) * int(_compiled(pattern).programsize)


@register(work=_simulated)
def regex_extract(text: str, pattern: str, group: int = 0) -> str:
    """Return what a regular expression (RE2) matches, or one of its groups; nothing where it does not match."""
    compiled = _compiled(pattern)
    if not 0 <= group <= compiled.groups:
        raise ValueError(f"`pattern` has no group {group}.")
    match = compiled.search(text)
    return (match[group] or "") if match else ""


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> Any:
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"`pattern` must have at most {_MAX_PATTERN:,} characters.")
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ValueError(f"`pattern` is not a regular expression that RE2 knows: {reason}.") from None


@register()
def truncate(text: str, length: int, ending: str = "") -> str:
    """Cut to at most so many characters, the ending counted."""
    if length < len(ending):
        raise ValueError("`length` must not be shorter than the ending.")
    return text if len(text) <= length else text[: length - len(ending)].rstrip() + ending


def _reordered(text: str) -> int:
    """Return the steps of normalization, which sorts the accents on a letter by insertion."""
    return len(text) ** 2


@register(work=_reordered)
def slugify(text: str) -> str:
    """Write as part of an address: lower case, ASCII, with hyphens."""
    spelled = unicodedata.normalize("NFC", text).lower().translate(_SPELLED)
    ascii_only = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return _NO_SLUG.sub("-", ascii_only).strip("-")
