"""Secrets that a development machine makes for itself, each kept in a file of the data folder."""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

_FILE = "secret.key"


def secret_key(settings: Mapping[str, Any]) -> str:
    """Return SECRET_KEY; where it is blank, which it cannot be in production, one that is made and kept."""
    return settings["SECRET_KEY"] or kept(Path(settings["DATA_DIR"]) / _FILE, token_urlsafe)


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file that only its owner may read, made by whichever process needs it first."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and never over another process's secret
        fresh.unlink()
    return path.read_text()
