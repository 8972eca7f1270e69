"""Quotas of uploaded files: how many of a caller may be open, and how many bytes of its files are stored.

Open are files that are arriving and drafts. Stored are these, an arriving file with the size that it will have, and
the files of imports, which are removed RETENTION_DAYS after their end. A file with two names, a draft and its dry run,
counts once. A caller is a key or user; while the service is open, an address.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from catalog import quotas
from catalog.access import caller
from catalog.database import transaction
from catalog.errors import QuotaExceeded
from catalog.imports import ownership, storage
from catalog.imports.models import Import
from catalog.ratelimits import callers

HOLDER = "holder"  # in the notes: whom a file is counted for
_KINDS: dict[str, type] = {"size": int}
_OPTIONAL: dict[str, type] = {HOLDER: str, "owner": str}


@contextmanager
def locked() -> Iterator[Session]:
    """Keep the caller's other requests from counting its files until the block, or the transaction around it, ends."""
    with transaction() as session:
        quotas.lock(session, "files", callers.who())
        yield session


@contextmanager
def reserved(size: int, path: Path | None = None, *, is_open: bool = False) -> Iterator[None]:
    """Record a new file of the caller within the block: `size` bytes, at `path` where they are there already.

    `is_open` is for a file that is arriving, or a draft. Raises QuotaExceeded.
    """
    if callers.who() == quotas.UNBOUNDED:
        yield
        return
    with locked() as session:
        if is_open:
            _check_open()
        _check_stored(session, size, path)
        yield


def _check_open() -> None:
    number, most = sum(1 for _ in _own_notes()), current_app.config["DRAFTS_PER_KEY"]
    if number >= most:
        raise QuotaExceeded(
            f"{number} files are arriving or wait to be imported, and {most} are allowed (DRAFTS_PER_KEY)."
            " Import or discard some first."
        )


def _check_stored(session: Session, size: int, path: Path | None) -> None:
    most = current_app.config["STORED_MB_PER_KEY"] << 20
    open_bytes = sum(notes["size"] for _, notes in _own_notes())
    of_imports = session.scalar(select(func.coalesce(func.sum(Import.size), 0)).where(_is_own())) or 0
    if open_bytes + int(of_imports) + size <= most:
        return
    stored = _on_disk(session, size, path)
    if stored > most:
        raise QuotaExceeded(
            f"With this file, {stored / 2**20:,.1f} MB would be stored for this key, and {most >> 20:,} are allowed"
            f" (STORED_MB_PER_KEY). Discard drafts, or wait until files of old imports are removed"
            f" ({current_app.config['RETENTION_DAYS']} days after their end)."
        )


def _on_disk(session: Session, size: int, path: Path | None) -> int:
    """Return the bytes of the caller's files and a new one, each file once, whatever number of names it has."""
    files: dict[Any, int] = {}
    for notes_path, notes in _own_notes():
        _add(files, notes_path.with_suffix(""), notes["size"])
    for import_id in session.scalars(select(Import.id).where(_is_own())):
        _add(files, storage.path_of(import_id), 0)
    if path is None:
        files["new"] = size
    else:
        _add(files, path, size)
    return sum(files.values())


def _add(files: dict[Any, int], path: Path, least: int) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    files[found.st_dev, found.st_ino] = max(found.st_size, least)


def _is_own() -> ColumnElement[bool]:
    """Return what is true of the caller's imports."""
    asked_by, me = Import.asked_by, caller()
    own = func.coalesce(asked_by[ownership.OWNER].astext, asked_by["id"].astext) == me.id
    return own & (asked_by["address"].astext == me.address) if me.id == "anonymous" else own


def _own_notes() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    me = callers.who()
    for folder in ("arrivals", "drafts"):  # not made here
        for path in (Path(current_app.config["UPLOAD_DIR"]) / folder).glob("*.json"):
            try:
                notes = storage.read_notes(path, _KINDS, _OPTIONAL)
            except FileNotFoundError:  # removed just now, or unreadable
                continue
            if notes.get(HOLDER, notes.get("owner")) == me:
                yield path, notes
