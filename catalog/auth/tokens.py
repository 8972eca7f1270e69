"""Keys as clients hold them: `cat_live_<id>_<secret><checksum>`. Pure.

The checksum is the beginning of the secret's keyed hash, so that neither a typo nor a key that was made up costs a look
at the database: only who knows SECRET_KEY can make one up that would.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from catalog.gate import MARK

ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 32, 8
MOST_KNOWN = 10_000
_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(rf"{MARK}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH}}}[0-9a-f]{{{CHECKSUM_LENGTH}}}")


@dataclass(frozen=True)
class Token:
    """A new key: `text` is what its client sends, `digest` all that is stored of its secret."""

    id: str
    digest: bytes
    text: str


class Signer:
    """Makes keys and tells them from what only looks like one, by a key of its own that it derives from SECRET_KEY."""

    def __init__(self, secret_key: str):
        derived = HKDF(SHA256(), length=32, salt=None, info=b"catalog api keys").derive(secret_key.encode())
        self._begun = hmac.new(derived, digestmod="sha256")
        self._known: dict[bytes, tuple[str, bytes]] = {}

    def new(self, key_id: str | None = None) -> Token:
        """Return a new key, or a new secret for a key that there is."""
        named = f"{key_id or _random(ID_LENGTH)}_{_random(SECRET_LENGTH)}"
        digest = self._digest(named)
        return Token(named[:ID_LENGTH], digest, f"{MARK}{named}{_checksum(digest)}")

    def read(self, text: str) -> tuple[str, bytes] | None:
        """Return the id and the digest of a key that a client sent, or None for what was never one.

        Those that were right are known again by their plain hash, in a third of the time; no secret is kept for that.
        """
        seen = hashlib.sha256(text.encode()).digest()
        found = self._known.get(seen)
        if found is None and (found := self._read(text)):
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[seen] = found
        return found

    def _read(self, text: str) -> tuple[str, bytes] | None:
        if not _SHAPE.fullmatch(text):
            return None
        named = text[len(MARK) : -CHECKSUM_LENGTH]
        digest = self._digest(named)
        if not hmac.compare_digest(text[-CHECKSUM_LENGTH:], _checksum(digest)):
            return None
        return named[:ID_LENGTH], digest

    def _digest(self, named: str) -> bytes:
        begun = self._begun.copy()  # half the time of one that begins with its key
        begun.update(named.encode())
        return begun.digest()


def _checksum(digest: bytes) -> str:
    return digest.hex()[:CHECKSUM_LENGTH]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
