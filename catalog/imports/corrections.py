"""The refused rows of an import, to be looked at, corrected and imported again as a file of their own."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import func, select

from catalog.errors import Conflict, ValidationFailed, field_error
from catalog.extensions import db
from catalog.formula_escaping import csv_line
from catalog.imports import drafts, mapping, service, sources, storage
from catalog.imports.check import RowRejected
from catalog.imports.models import Import, RejectedRow
from catalog.imports.reader import stored_header
from catalog.imports.upload import Upload

PAGE = 50
Edits = Mapping[int, list[str]]


def page(import_id: uuid.UUID, after: int) -> dict[str, Any]:
    """Return the refused rows after a line: {"import", "items", "next"}; an item's `cells` fill the header's width.

    Raises NotFound.
    """
    imported = service.get(import_id)
    rows, has_more = service.rejected_rows(import_id, after, PAGE)
    width = len(imported.header)
    items = [
        {
            **{name: getattr(row, name) for name in ("line", "field", "message")},
            "cells": [*sources.row_values(imported.filename, row.data), *[""] * width][:width],
            "places": _places(imported, row.field),
        }
        for row in rows
    ]
    total = db.session.scalar(select(func.count()).where(RejectedRow.import_id == import_id))
    return {
        "import": imported,
        "items": items,
        "total": total,
        "next": rows[-1].line if has_more else None,
    }


def judge(import_id: uuid.UUID, cells: list[str]) -> dict[str, str] | None:
    """Return {"field", "message"} of a corrected row that would be refused again, None for a good one.

    Raises NotFound.
    """
    imported = service.get(import_id)
    columns = mapping.read(imported.options.get("mapping"))
    header = replace(stored_header(imported.header, mapping.renames(columns)), escaped=False)  # values, not cells
    try:
        mapping.checker(header, columns).slow(cells)
    except RowRejected as error:
        return {"field": error.field, "message": error.message}
    return None


def again(import_id: uuid.UUID, edits: Edits) -> Import:
    """Import the corrected rows, and only those, with the options that the import had.

    Raises NotFound, ValidationFailed, Conflict where none of these rows was refused.
    """
    upload = _file(service.get(import_id), edits, only_edited=True)
    try:
        return service.submit(upload)
    finally:
        upload.path.unlink(missing_ok=True)


def draft(import_id: uuid.UUID, edits: Edits) -> drafts.Draft:
    """Keep all refused rows, the corrected ones as they are now, as a draft, to be mapped anew. Raises as `again()`."""
    upload = _file(service.get(import_id), edits, only_edited=False)
    try:
        return drafts.create(upload)
    finally:
        upload.path.unlink(missing_ok=True)


def _file(imported: Import, edits: Edits, *, only_edited: bool) -> Upload:
    width = len(imported.header)
    if any(len(cells) != width for cells in edits.values()):
        raise ValidationFailed([field_error("rows", f"Each row has {width} cells.")])
    with storage.new_part() as part:
        path = Path(part.name)
    name = f"{PurePath(imported.filename).name.partition('.')[0]}-corrected.csv"
    written = 0
    with storage.full_disk_told(), path.open("w", newline="", encoding="utf-8") as file:
        file.write(csv_line(imported.header))
        for line, cells in _refused(imported.id, edits, only_edited):
            file.write(csv_line(edits.get(line) or sources.row_values(imported.filename, cells)))
            written += 1
        size = file.tell()
    upload = Upload(path, name, size, _options(imported))
    if not written:
        upload.path.unlink()
        raise Conflict("None of these rows waits to be corrected.")
    return upload


def _refused(import_id: uuid.UUID, edits: Edits, only_edited: bool) -> Iterator[tuple[int, list[str]]]:
    statement = select(RejectedRow.line, RejectedRow.data).where(RejectedRow.import_id == import_id)
    if only_edited:
        statement = statement.where(RejectedRow.line.in_(list(edits)))
    ordered = statement.order_by(RejectedRow.line).execution_options(yield_per=1_000)
    for row in db.session.execute(ordered):
        yield row.line, row.data


def _options(imported: Import) -> dict[str, Any]:
    document = imported.options.get("mapping")
    return {
        **imported.options,
        "mapping": json.dumps(document) if document else None,
        **{"mapping_name": None, "delimiter": ",", "encoding": "utf-8", "sheet": None, "dry_run": False},
    }


def _places(imported: Import, refused: str) -> list[int]:
    """Return the columns to look at first: those of the field that was refused."""
    columns = mapping.read(imported.options.get("mapping"))
    meant = {name.strip().lower(): field for name, field in mapping.renames(columns).items()}
    plain = [name.strip().lower() for name in imported.header]
    return [place for place, name in enumerate(plain) if meant.get(name, name) == refused]
