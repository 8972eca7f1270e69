"""Passwords: what is asked of a new one, and how one is kept. Pure.

NIST SP 800-63B-4 (3.1.1.2) requires a length, where the password is the only factor, and a blocklist: passwords that
are common, a repeated word, a sequence, or the user's or the service's name are rejected. Only whole passwords are
compared, and no kinds of characters are required.

Stored is an argon2id hash (RFC 9106), with the least that OWASP's Password Storage Cheat Sheet recommends: 19
MiB, two passes, one lane. More would let strangers at the sign-in page take more memory and time from all others.
"""

import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MIN_LENGTH, MAX_LENGTH = 15, 1_000
LEAST_VARIETY = 5

COMMON = "Must not be a common password, a sequence or a repeated word."
NAME = "Must not be the name of the user or of this service."

_SERVICE = "catalog"
_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "1234567890" * 100,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
)

HASHED_AT_ONCE = 2  # in a process: the allocator keeps the memory of a hash for the thread that computed it

Result = TypeVar("Result")

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def weakness(password: str, name: str = "") -> str | None:
    """Return what is wrong with a new password of the user with this name, or None."""
    length = len(_normal(password))
    if length < MIN_LENGTH:
        return f"Must have {MIN_LENGTH} characters at least; a few words with spaces will do."
    if length > MAX_LENGTH:
        return f"Must have {MAX_LENGTH:,} characters at most."
    if len(set(_normal(password))) < LEAST_VARIETY:
        return "Must not be a few characters again and again."
    return _expected(_plain(password), _plain(name))


def _expected(password: str, name: str) -> str | None:
    unit = _unit(password)
    if {password, unit, password.strip("0123456789")} & {name, _unit(name), _SERVICE} - {""}:
        return NAME
    is_sequence = any(password in each or password[::-1] in each for each in _SEQUENCES)
    return COMMON if is_sequence or {unit, password} & common() else None


def _unit(text: str) -> str:
    """Return the shortest beginning that a text repeats, its last repetition cut off or not."""
    return next((text[:size] for size in range(1, len(text) // 2 + 1) if _repeats(text, size)), text)


def _repeats(text: str, size: int) -> bool:
    return text[size:] == text[: len(text) - size]


@cache
def common() -> frozenset[str]:
    """Return the common passwords, in lower case."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return _in_turn(_hasher.hash, _normal(password))


def fits(password: str, kept: str | None) -> bool:
    """Tell whether a password is the one that is kept.

    Where none is kept the same work is done, so that nobody learns by the time that it takes which names there are.
    """
    decoy = _decoy()
    try:
        return _in_turn(_hasher.verify, kept or decoy, _normal(password)) and kept is not None
    except VerifyMismatchError:
        return False


def is_outdated(kept: str) -> bool:
    """Tell whether a password was hashed with other parameters than those of today."""
    return _hasher.check_needs_rehash(kept)


@cache
def _decoy() -> str:
    return _in_turn(_hasher.hash, token_urlsafe(32))


def _in_turn(function: Callable[..., Result], *arguments: str) -> Result:
    return _threads().submit(function, *arguments).result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HASHED_AT_ONCE, "argon2")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a forked process has no threads


def _plain(text: str) -> str:
    """Normalize a text for comparison: without case, spaces, hyphens and underscores."""
    return "".join(_normal(text).casefold().replace("-", " ").replace("_", " ").split())


def _normal(password: str) -> str:
    """Keyboards and systems write the same letter in several ways (SP 800-63B-4: NFKC, before hashing)."""
    return unicodedata.normalize("NFKC", password)
