"""Secrets at rest: what must be read again is encrypted with keys that the database never sees."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app

from catalog import keyfile

KEY_FILE = "encryption.key"


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
        raise Undecryptable("The secret cannot be decrypted: its key is not in ENCRYPTION_KEYS.") from error


def _cipher() -> MultiFernet:
    """The first key encrypts, all of them decrypt, so that keys can be changed one after the other."""
    keys = current_app.config["ENCRYPTION_KEYS"] or [_development_key(Path(current_app.config["DATA_DIR"]))]
    return MultiFernet([Fernet(key.strip()) for key in keys])


def _development_key(folder: Path) -> str:
    return keyfile.kept(folder / KEY_FILE, lambda: Fernet.generate_key().decode())
