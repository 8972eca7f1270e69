"""Secrets at rest: what must be read again is encrypted with keys that the database never sees."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app

from catalog import keyfile

KEY_FILE = "encryption.key"
_NO_KEY = "The secret cannot be decrypted: its key is not in ENCRYPTION_KEYS."


class Undecryptable(Exception):
    """None of the keys in ENCRYPTION_KEYS opens this secret."""


def encrypt(secret: str) -> bytes:
    """Return a secret in the form that is stored."""
    return _cipher().encrypt(secret.encode())


def decrypt(stored: bytes) -> str:
    """Return a stored secret in the clear. Raises Undecryptable."""
    try:
        return _cipher().decrypt(bytes(stored)).decode()
    except InvalidToken as error:
        raise Undecryptable(_NO_KEY) from error


def key_of(stored: bytes) -> int:
    """Return which of the keys a stored secret is encrypted with, the first being 0. Raises Undecryptable."""
    for number, key in enumerate(_keys()):
        try:
            key.decrypt(bytes(stored))
            return number
        except InvalidToken:
            continue
    raise Undecryptable(_NO_KEY)


def renewed(stored: bytes) -> bytes:
    """Return a stored secret encrypted with the first key, as it is if it is so already. Raises Undecryptable."""
    return bytes(stored) if key_of(stored) == 0 else encrypt(decrypt(stored))


def key_count() -> int:
    """Return how many keys there are."""
    return len(_keys())


def _cipher() -> MultiFernet:
    """Return a cipher that encrypts with the first key and decrypts with all, for key rotation."""
    return MultiFernet(_keys())


def _keys() -> list[Fernet]:
    keys = current_app.config["ENCRYPTION_KEYS"] or [_development_key(Path(current_app.config["DATA_DIR"]))]
    return [Fernet(key.strip()) for key in keys]


def _development_key(folder: Path) -> str:
    return keyfile.kept(folder / KEY_FILE, lambda: Fernet.generate_key().decode())
