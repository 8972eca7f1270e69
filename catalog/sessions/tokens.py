"""Tokens of sessions, as cookies hold them, and what is stored of them. Pure."""

import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MARK = "cat_session_"  # by which logs know one, and mask it
MAX_LENGTH = 100


class Tokens:
    """Makes tokens of 256 random bits. Their digests are keyed, so that who writes to the table opens no session."""

    def __init__(self, secret_key: str):
        self._key = HKDF(SHA256(), length=32, salt=None, info=b"catalog sessions").derive(secret_key.encode())

    def new(self) -> tuple[str, bytes]:
        """Return a new token and its digest."""
        token = MARK + secrets.token_urlsafe(32)
        return token, self.digest(token)

    def digest(self, token: str) -> bytes:
        """Return what is stored of a token."""
        return hmac.digest(self._key, token.encode(), "sha256")
