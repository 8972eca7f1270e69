"""The rules of imports: taking a file in, watching, cancelling; `run()` and `sweep()` are for the background."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import gate, jobqueue, pagination, replica, streams
from catalog.audit import service as audit
from catalog.database import transaction
from catalog.errors import Conflict, NotFound
from catalog.eventstream import EventStream
from catalog.extensions import db
from catalog.imports import (
    activity,
    dry_run,
    files,
    lease,
    mapping,
    mappings,
    ownership,
    progress,
    quota,
    report,
    running,
    sources,
    storage,
    sweeping,
    telling,
    watching,
)
from catalog.imports.models import Import, RejectedRow
from catalog.imports.reader import Header
from catalog.imports.upload import Upload
from catalog.pagination import offset_page

ERROR_DETAILS = 100

JOB = sweeping.JOB
sweep = sweeping.sweep
prune = sweeping.prune
last_day = activity.last_day
going_on = activity.going_on
latest = activity.latest
visible = ownership.visible


def submit(upload: Upload) -> Import:
    """Record the import of a received file and ring for it; return it as it will be run.

    Raises UnsupportedMediaType, ValidationFailed and BadFile for a file that can be seen to be wrong from
    its first 64 KB, QuotaExceeded and StorageFull. Otherwise the file is safe on disk when this returns.
    """
    files.check_kind(upload.path, upload.filename)
    options = {**upload.options, "mapping": mappings.chosen(upload.options)}
    header = _readable_header(upload, mapping.read(options["mapping"]))
    storage.flush(upload.path)  # before the quota's lock, which others of the caller wait for
    with transaction() as session, quota.reserved(upload.size, upload.path):
        imported = Import(
            filename=upload.filename,
            size=upload.size,
            options=options,
            header=header.names,
            ignored_columns=header.ignored,
            asked_by=audit.who(),
        )
        session.add(imported)
        session.flush()
        submitted = {"filename": upload.filename, "size": upload.size, "options": options}
        audit.record("create", "import", imported.id, after=submitted)
        storage.keep(upload.path, imported.id)
        jobqueue.enqueue(sweeping.JOB, str(imported.id), queue_name="imports")
        return imported


def _readable_header(upload: Upload, columns: Sequence[mapping.Column]) -> Header:
    source = sources.of(upload.path, upload.filename, upload.options)
    header = source.header(mapping.renames(columns))
    if columns:
        mapping.try_out(source.first_rows(header, mapping.FIRST_ROWS), header, columns)
    return header


def get(import_id: uuid.UUID) -> Import:
    """Return an import by id. Raises NotFound, also for one of another caller."""
    return _found(db.session.get(Import, import_id, populate_existing=True))


def _found(imported: Import | None) -> Import:
    if imported is None or not ownership.is_visible(ownership.owner_of(imported.asked_by)):
        raise NotFound("There is no such import.")
    return imported


@replica.reads
def history(session: Session, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of the caller's imports, the latest first: items, total, limit, offset, has_more.

    Raises PageTooLarge.
    """
    own = select(Import).where(ownership.condition())
    items = activity.newest(session, own.offset(offset), limit, may_cut=False)
    total = session.scalar(own.with_only_columns(func.count(Import.id))) or 0
    return offset_page(items, total, limit, offset)


def status(import_id: uuid.UUID) -> report.Progress:
    """Return how far an import is: from Redis while it runs, else from the table. Raises NotFound."""
    found = statuses([import_id])
    if import_id not in ownership.visible(list(found)):
        raise NotFound("There is no such import.")
    return found[import_id]


def watch(import_id: uuid.UUID, last_seen: str | None) -> EventStream:
    """Return the events of an import after the one that the client has seen last. Raises NotFound."""
    status(import_id)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def look() -> report.Progress:
        with app.app_context():  # its end gives the connection back until the next look
            return status(import_id)

    return EventStream(watching.news(look, last_seen), watching.PACE, streams.try_to_take_slot(), gate.again())


def statuses(import_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, report.Progress]:
    """Return how far each of these imports is, without those that there are not."""
    board = _board()
    shown = board.read(list(import_ids))
    found = {import_id: report.progress(import_id, values) for import_id, values in shown.items()}
    for imported in _in_table([import_id for import_id in import_ids if import_id not in shown]):
        values = {name: getattr(imported, name) for name in progress.COLUMNS}
        if imported.state == "running":
            board.show(imported.id, values)  # so that nobody is shown less after this
        found[imported.id] = report.progress(imported.id, values, imported.error)
    return found


def _in_table(import_ids: list[uuid.UUID]) -> Iterable[Any]:
    if not import_ids:
        return ()
    columns = [getattr(Import, name) for name in progress.COLUMNS]
    return db.session.execute(select(Import.id, Import.error, *columns).where(Import.id.in_(import_ids))).all()


def result(import_id: uuid.UUID) -> dict[str, Any]:
    """Return how an import ended, with its first hundred refused rows, or as many as a page has. Raises NotFound."""
    imported = get(import_id)
    return report.result(imported, rejected_rows(import_id, 0, ERROR_DETAILS)[0])


def rejected_rows(import_id: uuid.UUID, after: int, limit: int) -> tuple[list[RejectedRow], bool]:
    """Return the refused rows after a line, as many as a page has, and whether there are more."""
    found = pagination.fetch(
        db.session(),
        select(RejectedRow)
        .where(RejectedRow.import_id == import_id, RejectedRow.line > after)
        .order_by(RejectedRow.line),
        [RejectedRow.data, RejectedRow.message],
        lambda columns: [columns.line],
        limit,
    )
    return [row[0] for row in found.rows], found.has_more


def cancel(import_id: uuid.UUID) -> Import:
    """Stop an import: at once if it waits, else after the chunk at hand. Raises NotFound, Conflict if it has ended."""
    with transaction() as session:
        imported = _found(session.get(Import, import_id, with_for_update=True, populate_existing=True))
        if imported.ended:
            raise Conflict(f"The import has ended already: it is {imported.state}.")
        imported.cancel_requested = True
        audit.record("cancel", "import", import_id)
        if imported.state == "pending":
            imported.state, imported.finished_at = "cancelled", func.clock_timestamp()
            session.flush()
            telling.ended(session, imported)
        session.flush()
        return imported


def carry_out(import_id: uuid.UUID) -> Import:
    """Have what a dry run staged applied, and return the import as it waits for that.

    Raises NotFound, and Conflict for what is no finished dry run, was committed already, or lies there no more.
    """
    with transaction() as session:
        imported = _found(session.get(Import, import_id, with_for_update=True, populate_existing=True))
        dry_run.reopen(session, imported)
        imported.asked_by = {**audit.who(), ownership.OWNER: ownership.owner_of(imported.asked_by)}
        audit.record("commit", "import", import_id)
        telling.started(session.connection(), imported, imported.total_rows)
        jobqueue.enqueue(sweeping.JOB, str(imported.id), queue_name="imports")
        return imported


def error_file(import_id: uuid.UUID) -> streams.Stream:
    """Return every rejected row of an import as CSV text, in pieces. Raises NotFound, Unavailable."""
    imported = get(import_id)
    return streams.Stream(report.error_file(imported, _refused(db.engine, import_id)), streams.take_slot())


def run(import_id: uuid.UUID) -> None:
    """Run an import if it waits or its worker is gone; otherwise do nothing."""
    settings = current_app.config
    held = lease.acquire(db.engine, import_id, _board())
    if held is not None:
        running.run(held, settings)


def _board() -> progress.Board:
    return progress.Board(jobqueue.client(current_app.config["CACHE_REDIS_URL"]))


def _refused(engine: Engine, import_id: uuid.UUID) -> Iterator[tuple[int, str, str, list[str]]]:
    """Stream the rows by a cursor on the server: there may be millions. Runs when the request has ended already."""
    statement = (
        select(RejectedRow.line, RejectedRow.field, RejectedRow.message, RejectedRow.data)
        .where(RejectedRow.import_id == import_id)
        .order_by(RejectedRow.line)
    )
    with engine.connect().execution_options(yield_per=1_000) as connection:
        for row in connection.execute(statement):
            yield row.line, row.field, row.message, row.data
