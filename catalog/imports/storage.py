"""Where uploaded files lie: one file for each import, named by its id, and what is no import yet."""

import errno
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flask import current_app

from catalog.errors import StorageFull

STRAY_AFTER_SECONDS = 86_400
_PART = ".part"


def path_of(import_id: uuid.UUID) -> Path:
    """Return where the file of an import lies."""
    return _folder() / str(import_id)


def new_part() -> IO[bytes]:
    """Open a new file for an upload that is coming in; `name` is its path. Raises StorageFull."""
    with full_disk_told():
        return tempfile.NamedTemporaryFile("w+b", dir=_folder(), suffix=_PART, delete=False)


def keep(part: Path, import_id: uuid.UUID) -> None:
    """Make a received file the file of an import, so that a power cut does not lose it. Raises StorageFull."""
    with full_disk_told():
        _sync(part)
        part.rename(path_of(import_id))
        _sync(_folder())


def second_name(path: Path) -> Path:
    """Return another name of a file, which can be kept or removed by itself. Raises StorageFull."""
    part = _folder() / f"{uuid.uuid4()}{_PART}"
    with full_disk_told():
        part.hardlink_to(path)
    return part


def folder(name: str) -> Path:
    """Return a folder of files that are no imports yet."""
    path = _folder() / name
    path.mkdir(exist_ok=True)
    return path


def remove_old(path: Path, seconds: float) -> None:
    """Remove the files of a folder that nobody has touched for so long."""
    old = time.time() - seconds
    for file in path.iterdir():
        if file.stat().st_mtime < old:
            file.unlink(missing_ok=True)


def remove(import_ids: Iterable[uuid.UUID]) -> None:
    """Remove the files of these imports, where they still are."""
    for import_id in import_ids:
        path_of(import_id).unlink(missing_ok=True)


def strays() -> list[Path]:
    """Return files that nobody has touched for a day: uploads that were cut off, or that have no import."""
    old = time.time() - STRAY_AFTER_SECONDS
    return [path for path in _folder().iterdir() if path.is_file() and path.stat().st_mtime < old]


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Raise StorageFull where the disk, or one's share of it, is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("There is no room for the file on the server.") from error
        raise


def _folder() -> Path:
    folder = Path(current_app.config["UPLOAD_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
