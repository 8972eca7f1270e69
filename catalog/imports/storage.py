"""Storage of uploaded files: one for each import, named by its id, and those that are no imports yet.

Files that are no imports yet have notes beside them, as JSON. All are readable by their owner alone.
"""

import errno
import json
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from flask import current_app

from catalog.errors import StorageFull

log = logging.getLogger(__name__)

STRAY_AFTER_SECONDS = 86_400
_PART = ".part"


def path_of(import_id: uuid.UUID) -> Path:
    """Return where the file of an import lies."""
    return _folder() / str(import_id)


def new_part() -> IO[bytes]:
    """Open a new file for an upload that is coming in; `name` is its path. Raises StorageFull."""
    with full_disk_told():
        return tempfile.NamedTemporaryFile("w+b", dir=_folder(), suffix=_PART, delete=False)


def flush(part: Path) -> None:
    """Write a received file to the disk, so that `keep()` is quick. Raises StorageFull."""
    with full_disk_told():
        _sync(part)


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
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_notes(path: Path, notes: Mapping[str, Any]) -> None:
    """Replace the notes beside a file atomically. Raises StorageFull."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_PART}")
    try:
        with full_disk_told():
            part.touch(mode=0o600)
            part.write_text(json.dumps(notes), encoding="utf-8")
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_notes(path: Path, kinds: Mapping[str, type], optional: Mapping[str, type]) -> dict[str, Any]:
    """Return the notes, checked for the types of their values; those of `optional` may be missing.

    Raises FileNotFoundError for notes that are missing, or that cannot be read, which is logged.
    """
    try:
        notes = json.loads(path.read_bytes())
        there = {name: kind for name, kind in optional.items() if notes.get(name) is not None}
        return {name: _checked(notes[name], kind) for name, kind in {**kinds, **there}.items()}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("Skipped unreadable notes of an upload: file=%s error=%r", path, error)
        raise FileNotFoundError from error


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def noted(path: Path) -> list[uuid.UUID]:
    """Return the ids of the files that a folder has notes on, the latest first."""
    found = []
    for notes in path.glob("*.json"):
        with suppress(ValueError, FileNotFoundError):  # another file, or one that was removed just now
            found.append((notes.stat().st_mtime, uuid.UUID(notes.stem)))
    return [one for _, one in sorted(found, reverse=True)]


def remove_old(path: Path, seconds: float) -> None:
    """Remove the files of a folder that nobody has touched for so long."""
    for file in _untouched(path, seconds):
        file.unlink(missing_ok=True)


def remove(import_ids: Iterable[uuid.UUID]) -> None:
    """Remove the files of these imports, where they still are."""
    for import_id in import_ids:
        path_of(import_id).unlink(missing_ok=True)


def strays() -> list[Path]:
    """Return files that nobody has touched for a day: uploads that were cut off, or that have no import."""
    return _untouched(_folder(), STRAY_AFTER_SECONDS)


def _untouched(path: Path, seconds: float) -> list[Path]:
    old, found = time.time() - seconds, []
    for file in path.iterdir():
        with suppress(FileNotFoundError):  # removed just now
            if file.is_file() and file.stat().st_mtime < old:
                found.append(file)
    return found


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
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
