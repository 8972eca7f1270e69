"""Running one import from its lease to its end."""

import logging
import uuid
from typing import Any

import psycopg2
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from catalog import replica
from catalog.audit import service as audit
from catalog.errors import CatalogError
from catalog.imports import dry_run, mapping, reader, sources, staging, storage, telling
from catalog.imports.lease import Cancelled, Lease, LeaseLost, prove
from catalog.imports.loading import Loader, Refused
from catalog.imports.models import Import, is_rehearsal
from catalog.imports.statements import Plan

log = logging.getLogger(__name__)

# Of the database's errors, these classes say that it or the network failed, and that later may be better:
# connection, transaction rolled back, out of resources, someone stopped it, system error, or no answer at all.
_PASSING = ("08", "25", "40", "53", "55", "57", "58", "XX")


def run(lease: Lease, settings: dict[str, Any]) -> None:
    """Carry the import out as far as it gets and record how it ended.

    What a later attempt may mend (the database is gone, the process is killed) is raised and ends nothing.
    """
    try:
        with lease:
            state, error = _outcome(lease, settings)
        finish(lease, state, error)
    except LeaseLost:
        log.warning("Import %s is left to the worker that has its lease now", lease.id)


def finish(lease: Lease, state: str, error: str | None) -> None:
    """Record the end of an import and drop the table of its rows. Raises LeaseLost."""
    with lease.engine.begin() as connection:
        if state != "completed" or not is_rehearsal(_fetch(connection, lease.id)):
            connection.execute(text(f"DROP TABLE IF EXISTS {staging.table_name(lease.id)}"))
            dry_run.drop(connection, lease.id)
        prove(
            connection,
            lease,
            "state = :state, error = :error, finished_at = clock_timestamp(), lease_token = NULL, lease_until = NULL,"
            " percent = CASE WHEN :state = 'completed' THEN 100 ELSE percent END",
            state=state,
            error=error,
        )
        ended = _fetch(connection, lease.id)
        telling.ended(connection, ended)
        replica.wrote(ended.asked_by)
    lease.board.show_end(lease.id)
    log.info("Import %s %s%s", lease.id, state, f": {error}" if error else "")


def _outcome(lease: Lease, settings: dict[str, Any]) -> tuple[str, str | None]:
    try:
        return _carry_out(lease, settings)
    except Cancelled:
        return "cancelled", None
    except CatalogError as error:  # the file's fault, said in words for its owner
        log.info("Import %s cannot be done: %s", lease.id, error.detail)
        return "failed", _in_words(error)
    except FileNotFoundError:
        return "failed", "The uploaded file is gone from the server."
    except (DBAPIError, psycopg2.Error) as error:
        if _may_pass(error):
            raise
        log.exception("Import %s cannot be done", lease.id)
        return "failed", "The database refused the import; the log says why."


def _carry_out(lease: Lease, settings: dict[str, Any]) -> tuple[str, str | None]:
    imported = _read(lease)
    lease.reached(imported.percent)
    if imported.cancel_requested:
        raise Cancelled
    header = _stage(lease, imported, settings)
    imported = _read(lease)
    if imported.total_rows == 0:
        return "failed", "The file has a header and no rows."
    return _load(lease, imported, header, settings)


def _stage(lease: Lease, imported: Any, settings: dict[str, Any]) -> reader.Header:
    source = sources.of(storage.path_of(lease.id), imported.filename, imported.options, lease.check)
    columns = mapping.read(imported.options.get("mapping"))
    header = source.header(mapping.renames(columns))
    with lease.engine.connect() as connection:
        if staging.is_staged(connection, lease.id, imported.staged_rows):
            return header
    limit = settings["UPLOAD_MAX_MB"] << 20
    found = source.survey(limit)
    with lease.engine.begin() as connection:
        prove(connection, lease, "total_rows = :rows, encoding = :name", rows=found.records, name=found.encoding)
        if not imported.total_rows:  # else an earlier attempt told so
            telling.started(connection, imported, found.records)
    keep_raw = imported.options["mode"] != "upsert"
    checker = mapping.checker(header, columns)
    staging.stage(lease, source.records(found, header, limit), found, checker, keep_raw=keep_raw)
    return header


def _load(lease: Lease, imported: Any, header: reader.Header, settings: dict[str, Any]) -> tuple[str, str | None]:
    audited_for = imported.asked_by or audit.who() if settings["AUDIT_IMPORT_ROWS"] else None
    plan = Plan.of(staging.table_name(lease.id), header, imported.options, audited_for)
    if is_rehearsal(imported):
        dry_run.carry_out(lease, plan)
        return "completed", None
    if imported.committed_at is not None and imported.changed_meanwhile is None:
        dry_run.note_changes(lease, plan)
    loader = Loader(lease, plan, imported.staged_rows or 0)
    if imported.options["on_error"] == "skip":
        loader.apply(settings["IMPORT_LOADERS"])
        return "completed", None
    if not imported.rejected:
        try:
            loader.apply_all_or_nothing()
        except Refused:
            loader.record_misfits()
        else:
            return "completed", None
    return "failed", "Rows were refused and the import is to stop on errors, so nothing was applied."


def _fetch(connection: Connection, import_id: uuid.UUID) -> Any:
    """Return the import's row as it is now."""
    table = Import.__table__
    return connection.execute(select(table).where(table.c.id == import_id)).one()


def _read(lease: Lease) -> Any:
    with lease.engine.connect() as connection:
        return _fetch(connection, lease.id)


def _in_words(error: CatalogError) -> str:
    return " ".join(problem["message"] for problem in error.errors) or error.detail


def _may_pass(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", error), "pgcode", None)
    return code is None or code[:2] in _PASSING
