"""Receiving a file over HTTP: streamed to where it will lie, never held in memory, gone again if refused."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import IO, Any

import marshmallow as ma
from flask import current_app, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from catalog.errors import BadRequest, TooLarge, UnsupportedMediaType, ValidationFailed, field_error, flatten
from catalog.imports import storage
from catalog.strictjson import fingerprint

MAX_FORM_BYTES = 500_000  # also has to hold what werkzeug reads at once
MAX_PARTS = 32


@dataclass(frozen=True)
class Upload:
    """A file that has come in: where it lies, its name, its size in bytes and the options beside it."""

    path: Path
    filename: str
    size: int
    options: dict[str, Any]

    def fingerprint(self) -> bytes:
        """Return what two uploads share whose bytes, name and options are the same."""
        with self.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return fingerprint([content, self.filename, self.options])


def receiving(schema: ma.Schema) -> Callable[[Callable[..., Any]], Callable[[], Any]]:
    """Decorate a view that takes an Upload: before it begins, the file has come in and the options are checked."""

    def decorate(view: Callable[..., Any]) -> Callable[[], Any]:
        @wraps(view)
        def wrapper() -> Any:
            with received(schema) as upload:
                return view(upload)

        return wrapper

    return decorate


def plain_name(filename: str) -> str:
    """Return the plain name: no folders, no control characters, nothing that the database cannot keep."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    printable = "".join(character for character in name if character.isprintable())
    return printable.encode("utf-8", "replace").decode()[-255:]


@contextmanager
def received(schema: ma.Schema) -> Iterator[Upload]:
    """Receive the request's form field `file` and its options; what is not kept is removed at the end.

    Raises UnsupportedMediaType, ValidationFailed, BadRequest where the body breaks off, TooLarge, StorageFull.
    """
    parts: list[IO[bytes]] = []
    try:
        form, files = _parse(parts)
        filename, path = plain_name(_the_file(files).filename or ""), Path(parts[0].name)
        yield Upload(path, filename, _size(path), _options(schema, form))
    finally:
        for part in parts:
            _discard(part)


def _discard(part: IO[bytes]) -> None:
    Path(part.name).unlink(missing_ok=True)
    with suppress(OSError):  # what is still buffered may not fit on the disk
        part.close()


def _parse(parts: list[IO[bytes]]) -> "tuple[MultiDict[str, str], MultiDict[str, FileStorage]]":
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data, in the field `file`.")

    def stream(*_: Any, **__: Any) -> IO[bytes]:
        part = storage.new_part()
        parts.append(part)
        return part

    parser = FormDataParser(stream, max_form_memory_size=MAX_FORM_BYTES, max_form_parts=MAX_PARTS, silent=False)
    try:
        with storage.full_disk_told():
            _, form, files = parser.parse(
                request.stream, request.mimetype, request.content_length, request.mimetype_params
            )
            for part in parts:
                part.close()
    except ValueError as error:
        raise BadRequest("The upload is broken or was cut off.") from error
    return form, files


def _the_file(files: "MultiDict[str, FileStorage]") -> FileStorage:
    found = files.getlist("file")
    if len(found) != 1 or len(files) != 1:
        raise ValidationFailed([field_error("file", "Send one file, in the form field `file`.", "required")])
    return found[0]


def _size(path: Path) -> int:
    size, limit = path.stat().st_size, current_app.config["UPLOAD_MAX_MB"]
    if size > limit << 20:
        raise TooLarge(f"The file is larger than {limit} MB.")
    if size == 0:
        raise ValidationFailed([field_error("file", "The file is empty.", "empty")])
    return size


def _options(schema: ma.Schema, form: "MultiDict[str, str]") -> dict[str, Any]:
    try:
        return schema.load(form.to_dict())  # type: ignore[no-any-return]
    except ma.ValidationError as error:
        raise ValidationFailed(flatten(error.messages)) from error
