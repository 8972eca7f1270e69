"""Keys as clients hold them: `cat_live_<id>_<secret><checksum>`. Pure.

The checksum is keyed, so that neither a typo nor a key that was made up costs a look at the database: only who knows
SECRET_KEY can make one up that would.
"""

import hmac
import re
import secrets
import string
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from catalog.gate import MARK

ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 32, 8
_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(
    rf"{MARK}([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9a-f]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A key: `text` is what its client sends, `digest` all that is stored of its secret."""

    id: str
    digest: bytes
    text: str = ""


class Signer:
    """Makes keys and tells them from what only looks like one, by keys of its own that it derives from SECRET_KEY."""

    def __init__(self, secret_key: str):
        derived = HKDF(SHA256(), length=64, salt=None, info=b"catalog api keys").derive(secret_key.encode())
        self._for_digests, self._for_checksums = derived[:32], derived[32:]

    def new(self, key_id: str | None = None) -> Token:
        """Return a new key, or a new secret for a key that there is."""
        key_id = key_id or _random(ID_LENGTH)
        secret = _random(SECRET_LENGTH)
        return Token(key_id, self._digest(key_id, secret), f"{MARK}{key_id}_{secret}{self._checksum(key_id, secret)}")

    def read(self, text: str) -> Token | None:
        """Return the key that a client sent, or None for what was never one."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            return None
        key_id, secret, checksum = found.groups()
        if not hmac.compare_digest(checksum, self._checksum(key_id, secret)):
            return None
        return Token(key_id, self._digest(key_id, secret))

    def _digest(self, key_id: str, secret: str) -> bytes:
        return hmac.digest(self._for_digests, f"{key_id}_{secret}".encode(), "sha256")

    def _checksum(self, key_id: str, secret: str) -> str:
        return hmac.digest(self._for_checksums, f"{key_id}_{secret}".encode(), "sha256").hex()[:CHECKSUM_LENGTH]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
