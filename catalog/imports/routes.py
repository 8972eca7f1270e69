"""REST over imports: as tasks of the products API, and as a resource of their own."""

import uuid
from typing import Any

from flask import Response, request, url_for

from catalog import eventstream
from catalog.http import Blueprint
from catalog.imports import answers, schemas, service
from catalog.imports.upload import Upload, receiving
from catalog.openapi import LOCATION

blueprint = Blueprint(
    "imports", __name__, url_prefix="/api/v1", description="Imports of product files.", scope="imports"
)

_MAPPING = "A JSON object from their columns to our fields, or to lists of a field and the transforms on the way to it"
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": ".csv, .tsv or .jsonl, also as .gz, or .xlsx"},
        "mode": {"type": "string", "enum": ["upsert", "create_only", "update_only"], "default": "upsert"},
        "on_error": {"type": "string", "enum": ["skip", "abort"], "default": "skip"},
        "empty": {"type": "string", "enum": ["keep", "clear"], "default": "keep"},
        "dry_run": {"type": "boolean", "default": False, "description": "Count and show differences, write nothing"},
        "delimiter": {"type": "string", "enum": [",", ";", "\t", "|", "tab", "\\t"], "description": "Else sniffed"},
        "sheet": {"type": "string", "description": "Of an .xlsx file, else its first", "example": ""},
        "events": {"type": "string", "enum": ["summary", "per_product", "none"], "default": "summary"},
        "encoding": {"type": "string", "example": "utf-8", "description": "Else UTF-8, or what a byte order mark says"},
        "mapping": {"type": "string", "description": _MAPPING, "example": '{"name": ["name", "strip", "title_case"]}'},
        "mapping_name": {"type": "string", "description": "A kept one, instead of `mapping`", "example": ""},
    },
}
_UPLOAD = {"schema": _FORM, "example": {"file": "sku,name,price\nLAMP-001,Desk lamp,39.9\n", "mode": "upsert"}}
_EVENT = {
    "type": "object",  # each of the stream's events is one
    "required": ["id", "event", "data"],
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
_REJECTED = "_line,_field,_error,sku,name,price\n3,price,Not a valid number.,LAMP-002,Lamp,cheap\n"


@blueprint.post("/products/upload")
@blueprint.doc(requestBody={"required": True, "content": {"multipart/form-data": _UPLOAD}})
@receiving(schemas.UploadOptionsSchema())
@blueprint.once(Upload.fingerprint)
@blueprint.response(202, answers.ImportSubmittedSchema, headers=LOCATION)
@blueprint.problem(400, "A wrong option, or a file that can be seen to be wrong at once")
@blueprint.problem(409, "The files of this key have as many bytes as they may have")
@blueprint.problem(413, "The file is too large")
@blueprint.problem(415, "Not a CSV, TSV, JSON Lines or Excel file")
@blueprint.problem(507, "No room for the file")
def upload_products(upload: Upload) -> Any:
    """Import a product file

    In the background; the answer names where to watch it.
    """
    imported = service.submit(upload)
    return imported, 202, {"Location": url_for("imports.get_status", import_id=imported.id)}


@blueprint.get("/products/upload/<uuid:import_id>/status")
@blueprint.response(200, answers.StatusSchema)
@blueprint.problem(404, "No such import")
def get_status(import_id: uuid.UUID) -> Any:
    """Watch an import

    Its state, how far it is, and what it has done so far.
    """
    return service.status(import_id)


@blueprint.get("/products/import/<uuid:import_id>/progress")
@blueprint.response(200, answers.RawProgressSchema)
@blueprint.problem(404, "No such import")
def get_progress(import_id: uuid.UUID) -> Any:
    """Watch an import, in raw form

    The same with the raw states `PENDING`, `STARTED`, `PROGRESS`, `SUCCESS`, `FAILURE`.
    """
    return service.status(import_id)


@blueprint.get("/products/import/<uuid:import_id>/result")
@blueprint.response(200, answers.ResultSchema)
@blueprint.problem(404, "No such import")
def get_result(import_id: uuid.UUID) -> Any:
    """Read the result of an import

    With the first 100 rejected rows; `result` is null until the import has ended.
    """
    return service.result(import_id)


@blueprint.get("/imports")
@blueprint.arguments(answers.HistoryQuerySchema, location="query")
@blueprint.response(200, answers.HistorySchema)
@blueprint.problem(413, "The rows of a page by `offset` have too many bytes; `detail` tells how many fit")
def list_imports(query: dict[str, Any]) -> Any:
    """List imports, the latest first

    Whatever their state, for as long as histories are kept.
    """
    return service.history(**query)


@blueprint.get("/imports/<uuid:import_id>")
@blueprint.response(200, answers.ImportSchema)
@blueprint.problem(404, "No such import")
def get_import(import_id: uuid.UUID) -> Any:
    """Read everything about an import

    Its options, its columns, its counts and its times.
    """
    return service.get(import_id)


@blueprint.delete("/imports/<uuid:import_id>")
@blueprint.response(202, answers.ImportSchema)
@blueprint.problem(404, "No such import")
@blueprint.problem(409, "It has ended already")
def cancel_import(import_id: uuid.UUID) -> Any:
    """Cancel an import

    A waiting one at once, a running one after the chunk at hand; what was applied by then stays and is counted.
    """
    return service.cancel(import_id)


@blueprint.post("/imports/<uuid:import_id>/commit")
@blueprint.once()
@blueprint.response(202, answers.ImportSchema)
@blueprint.problem(404, "No such import")
@blueprint.problem(409, "No finished dry run, committed already, or what it staged is gone (after 24 hours)")
def commit_import(import_id: uuid.UUID) -> Any:
    """Carry out a dry run

    Applies what was staged, with nothing read again; `changed_meanwhile` then tells which of its products are no
    longer as the dry run saw them, and `dry_run` what it had counted.
    """
    return service.carry_out(import_id)


@blueprint.get("/imports/<uuid:import_id>/events", any_query=True)  # replacements for EventSource add parameters
@blueprint.response(
    200,
    _EVENT,
    content_type="text/event-stream",
    description="`progress` events, at last one `end`; data as of the status",
    example={"id": "Processing-40-20000", "event": "progress", "data": '{"state": "Processing", "percent": 40}'},
)
@blueprint.problem(404, "No such import")
def watch_import(import_id: uuid.UUID) -> Any:
    """Watch an import by server-sent events

    A stream lasts a minute at most; browsers then come again by themselves and go on where they were. Where too
    many are open, one event is sent and the client comes again after two seconds.
    """
    return eventstream.answer(service.watch(import_id, request.headers.get("Last-Event-ID")))


@blueprint.get("/imports/<uuid:import_id>/errors.csv")
@blueprint.response(200, {"type": "string"}, content_type="text/csv", example=_REJECTED)
@blueprint.problem(404, "No such import")
def get_errors(import_id: uuid.UUID) -> Any:
    """Download every rejected row

    After `_line`, `_field` and `_error`; corrected, the file can be imported again. Cells that a spreadsheet would take
    for formulas have an apostrophe before them, which the import removes.
    """
    headers = {"Content-Disposition": f'attachment; filename="import-{import_id}-errors.csv"'}
    return Response(service.error_file(import_id), mimetype="text/csv", headers=headers)
