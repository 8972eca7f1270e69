"""Drafts: files that are taken in and wait for somebody to say how they are to be imported.

A draft is a file and, beside it, its name and what was chosen so far, as JSON. It is kept for a day.
"""

import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catalog.access import caller
from catalog.errors import NotFound
from catalog.imports import files, ownership, preview, quota, service, storage
from catalog.imports.models import Import
from catalog.imports.reader import FIELDS
from catalog.imports.upload import Upload
from catalog.ratelimits import callers

__all__ = ["FIELDS", "Draft", "create", "discard", "get", "keep", "listing", "look", "prune", "start"]

KEPT_SECONDS = 86_400


@dataclass(frozen=True)
class Draft:
    """A file that waits: `options` are as of an upload, `mapping` among them as JSON text."""

    id: uuid.UUID
    filename: str
    size: int
    options: dict[str, Any]
    owner: str | None = None  # the caller; None for those of earlier versions

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return _folder() / str(self.id)


def create(upload: Upload) -> Draft:
    """Keep a new file as a draft and return it. Raises UnsupportedMediaType, QuotaExceeded, StorageFull."""
    with quota.reserved(upload.size, upload.path, is_open=True):
        return keep(upload)


def keep(upload: Upload) -> Draft:
    """Keep a file, whose bytes are counted already, as a draft. Raises UnsupportedMediaType, StorageFull."""
    files.check_kind(upload.path, upload.filename)
    draft = Draft(uuid.uuid4(), upload.filename, upload.size, upload.options, caller().id)
    storage.write_notes(_notes(draft.id), {**asdict(draft), "id": str(draft.id), quota.HOLDER: callers.who()})
    try:
        with storage.full_disk_told():
            upload.path.rename(draft.path)
    except Exception:
        _remove(draft.id)
        raise
    return draft


def get(draft_id: uuid.UUID) -> Draft:
    """Return a draft. Raises NotFound, also for one of another caller."""
    try:
        kinds = {"filename": str, "size": int, "options": dict}
        draft = Draft(id=draft_id, **storage.read_notes(_notes(draft_id), kinds, {"owner": str}))
        draft.path.stat()
    except FileNotFoundError:
        raise _gone() from None
    if not ownership.is_visible(draft.owner):
        raise _gone()
    return draft


def listing() -> list[Draft]:
    """Return the caller's drafts, the latest first."""
    found = []
    for draft_id in storage.noted(_folder()):
        with suppress(NotFound):  # discarded just now, or another caller's
            found.append(get(draft_id))
    return found


def look(draft_id: uuid.UUID, options: dict[str, Any]) -> preview.Preview:
    """Return what a draft's first rows become with these options, for a loaded UploadOptionsSchema.

    Raises NotFound, and BadFile for what cannot be read at all; what else is wrong is in the preview.
    """
    draft = get(draft_id)
    return preview.of(draft.path, draft.filename, options)


def start(draft_id: uuid.UUID, options: dict[str, Any]) -> Import:
    """Import a draft with these options; a dry run leaves the draft for another try. Raises as `service.submit()`."""
    draft = get(draft_id)
    name = storage.second_name(draft.path)
    try:
        imported = service.submit(Upload(name, draft.filename, draft.size, options))
    finally:
        name.unlink(missing_ok=True)
    if not options["dry_run"]:
        discard(draft_id)
    return imported


def discard(draft_id: uuid.UUID) -> None:
    """Delete a draft, if it exists and is the caller's."""
    with suppress(NotFound):
        get(draft_id)
        _remove(draft_id)


def _remove(draft_id: uuid.UUID) -> None:
    for path in (_notes(draft_id), _folder() / str(draft_id)):
        path.unlink(missing_ok=True)


def prune() -> None:
    """Put away the drafts that nobody has imported for a day."""
    storage.remove_old(_folder(), KEPT_SECONDS)


def _gone() -> NotFound:
    return NotFound("There is no such file. It may have been imported, or deleted after a day.")


def _folder() -> Path:
    """Return the folder of files that wait for somebody to say how they are to be imported."""
    return storage.folder("drafts")


def _notes(draft_id: uuid.UUID) -> Path:
    return _folder() / f"{draft_id}.json"
