"""Passwords: what is asked of a new one, and how one is kept. Pure.

A length and nothing else is asked, as NIST SP 800-63B-4 (3.1.1.2) has it where the password is all that there is.
Kept is what argon2id (RFC 9106) makes of it, with the least that OWASP's Password Storage Cheat Sheet recommends: 19
MiB, two passes, one lane. More would let strangers at the sign-in page take more memory and time from all others.
"""

import unicodedata
from functools import cache
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MIN_LENGTH, MAX_LENGTH = 15, 1_000
LEAST_VARIETY = 5

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def weakness(password: str) -> str | None:
    """Return what is wrong with a new password, or None."""
    length = len(_normal(password))
    if length < MIN_LENGTH:
        return f"Must have {MIN_LENGTH} characters at least; a few words with spaces will do."
    if length > MAX_LENGTH:
        return f"Must have {MAX_LENGTH:,} characters at most."
    if len(set(_normal(password))) < LEAST_VARIETY:
        return "Must not be a few characters again and again."
    return None


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return _hasher.hash(_normal(password))


def fits(password: str, kept: str | None) -> bool:
    """Tell whether a password is the one that is kept.

    Where none is kept the same work is done, so that nobody learns by the time that it takes which names there are.
    """
    decoy = _decoy()
    try:
        return _hasher.verify(kept or decoy, _normal(password)) and kept is not None
    except VerifyMismatchError:
        return False


def is_outdated(kept: str) -> bool:
    """Tell whether a password was hashed with other parameters than those of today."""
    return _hasher.check_needs_rehash(kept)


@cache
def _decoy() -> str:
    return _hasher.hash(token_urlsafe(32))


def _normal(password: str) -> str:
    """Keyboards and systems write the same letter in several ways (SP 800-63B-4: NFKC, before hashing)."""
    return unicodedata.normalize("NFKC", password)
