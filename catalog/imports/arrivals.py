"""Files that come in piece by piece, so that one that broke off goes on where it was.

An arrival is a file that grows and, beside it, its name and size, as JSON. Whose it is, its name, its size and when it
was changed last make its id, so the same file that is begun again is the same arrival. Once whole it becomes a draft;
one that nobody went on with for a day is put away.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flask import current_app

from catalog.access import caller
from catalog.audit import service as audit
from catalog.errors import Conflict, NotFound, TooLarge, UnsupportedMediaType, ValidationFailed, field_error
from catalog.imports import drafts, files, ownership, quota, storage
from catalog.imports.schemas import UploadOptionsSchema
from catalog.imports.upload import Upload, plain_name
from catalog.ratelimits import callers

_IDS = uuid.UUID("6f1c7f0e-6a1b-5d0e-9c53-0f6b6f5a2c11")
_PIECE_BYTES = 1 << 18


@dataclass(frozen=True)
class Arrival:
    """A file that comes in: `received` of its `size` bytes are here."""

    id: uuid.UUID
    filename: str
    size: int
    received: int
    owner: str | None = None  # the caller; None for those of earlier versions

    @property
    def percent(self) -> int:
        """How much of it is here."""
        return 100 * self.received // max(self.size, 1)


def begin(filename: str, size: int, modified: int) -> Arrival:
    """Begin a file, or take up the one that was begun before; `modified` is when it was changed last, as a number.

    Raises UnsupportedMediaType for a name that is none of a product file, TooLarge, QuotaExceeded, StorageFull.
    """
    name = plain_name(filename)
    files.check_name(name)
    limit = current_app.config["UPLOAD_MAX_MB"]
    if size > limit << 20:
        raise TooLarge(f"The file is larger than {limit} MB.")
    arrival_id = uuid.uuid5(_IDS, json.dumps([audit.who()["id"], name, size, modified]))
    notes = {"filename": name, "size": size, "owner": caller().id, quota.HOLDER: callers.who()}
    is_counted = _notes(arrival_id).exists()
    with nullcontext() if is_counted else quota.reserved(size, is_open=True):
        storage.write_notes(_notes(arrival_id), notes)
    with storage.full_disk_told():
        _path(arrival_id).touch(mode=0o600)
    return get(arrival_id)


def get(arrival_id: uuid.UUID) -> Arrival:
    """Return an arrival as far as it is. Raises NotFound, also for one of another caller."""
    try:
        notes = storage.read_notes(_notes(arrival_id), {"filename": str, "size": int}, {"owner": str})
        arrival = Arrival(id=arrival_id, received=_path(arrival_id).stat().st_size, **notes)
    except FileNotFoundError:
        raise _gone() from None
    if not ownership.is_visible(arrival.owner):
        raise _gone()
    return arrival


def append(arrival_id: uuid.UUID, offset: int, piece: IO[bytes]) -> Arrival:
    """Add what comes after the first `offset` bytes; what has come of a piece that breaks off stays.

    Raises NotFound, Conflict where it is not `offset` bytes that are here, ValidationFailed where the file is longer
    than was said, UnsupportedMediaType for what its first bytes show to be no product file, StorageFull.
    """
    arrival = get(arrival_id)
    with storage.full_disk_told(), _locked(arrival_id) as file:
        received = file.seek(0, os.SEEK_END)
        if received != offset:
            raise Conflict(f"{received:,} bytes of the file are here, not {offset:,}.")
        _copy(piece, file, arrival.size - offset)
    if offset == 0:
        _check_kind(arrival)
    return get(arrival_id)


def finish(arrival_id: uuid.UUID) -> drafts.Draft:
    """Make a draft of a file that is whole, once, however many ask for it.

    Raises NotFound, Conflict, UnsupportedMediaType, StorageFull.
    """
    get(arrival_id)
    with _locked(arrival_id):
        arrival = get(arrival_id)
        if arrival.received != arrival.size:
            raise Conflict(f"{arrival.received:,} of {arrival.size:,} bytes of the file are here.")
        _check_kind(arrival)
        upload = Upload(_path(arrival_id), arrival.filename, arrival.size, UploadOptionsSchema().load({}))
        with quota.locked():  # in between, it is there as both
            draft = drafts.keep(upload)
            _remove(arrival_id)
        return draft


def listing() -> list[Arrival]:
    """Return the files that are coming in, or broke off, the latest first."""
    found = []
    for arrival_id in storage.noted(_folder()):
        with suppress(NotFound):  # whole by now
            found.append(get(arrival_id))
    return found


def discard(arrival_id: uuid.UUID) -> None:
    """Delete a file that is arriving, if it exists and is the caller's."""
    with suppress(NotFound):
        get(arrival_id)
        _remove(arrival_id)


def _remove(arrival_id: uuid.UUID) -> None:
    for path in (_notes(arrival_id), _path(arrival_id)):
        path.unlink(missing_ok=True)


def prune() -> None:
    """Put away what nobody went on with for a day."""
    storage.remove_old(_folder(), drafts.KEPT_SECONDS)


def _check_kind(arrival: Arrival) -> None:
    try:
        files.check_kind(_path(arrival.id), arrival.filename)
    except UnsupportedMediaType:
        discard(arrival.id)
        raise


def _copy(piece: IO[bytes], file: IO[bytes], room: int) -> None:
    while data := piece.read(_PIECE_BYTES):
        file.write(data[:room])
        room -= len(data)
        if room < 0:
            raise ValidationFailed([field_error("file", "The file is longer than was said.", "too_long")])


@contextmanager
def _locked(arrival_id: uuid.UUID) -> Iterator[Any]:
    """Open the file for one writer at a time. Raises NotFound, and Conflict for another writer."""
    try:
        opened = _path(arrival_id).open("r+b")
    except FileNotFoundError:
        raise _gone() from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Another page is bringing in the same file just now.") from None
        yield file


def _gone() -> NotFound:
    return NotFound("There is no such file coming in. It may be whole already, or was put away.")


def _folder() -> Path:
    return storage.folder("arrivals")


def _path(arrival_id: uuid.UUID) -> Path:
    return _folder() / str(arrival_id)


def _notes(arrival_id: uuid.UUID) -> Path:
    return _folder() / f"{arrival_id}.json"
