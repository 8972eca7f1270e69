"""The imports page: from a file to products, and what became of it."""

import uuid
from typing import Any

from flask import Response, jsonify, request, url_for
from werkzeug import Response as Answer

from catalog import access, eventstream, pagination
from catalog.console import pages, schemas
from catalog.imports import answers, arrivals, corrections, drafts, dry_run, mapping_schemas, mappings, service
from catalog.imports.schemas import ENCODINGS, UploadOptionsSchema
from catalog.transforms import service as transforms

blueprint = pages.blueprint("imports", __name__)


@blueprint.get("")
@blueprint.arguments(answers.HistoryQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """Show where files are dropped, those that wait, and the history."""
    return pages.show("imports.html", part="_imports_history.html", section="imports", **_lists(query))


def _lists(query: dict[str, Any]) -> dict[str, Any]:
    waiting = {"arrivals": arrivals.listing(), "drafts": drafts.listing()}
    return {**waiting, "mappings": mappings.listing()["items"], "history": pagination.shrunk(service.history, **query)}


@blueprint.post("/arrivals")
@blueprint.arguments(schemas.ArrivalSchema)
def begin(file: dict[str, Any]) -> Answer:
    """Begin to take in a dropped file, or go on with it."""
    return _arrival(arrivals.begin(**file))


@blueprint.post("/arrivals/<uuid:arrival_id>")
@blueprint.arguments(schemas.OffsetSchema, location="query")
def append(query: dict[str, Any], arrival_id: uuid.UUID) -> Answer:
    """Take in the next piece of a file."""
    return _arrival(arrivals.append(arrival_id, query["offset"], request.stream))


def _arrival(arrival: arrivals.Arrival) -> Answer:
    places = {"address": url_for(".append", arrival_id=arrival.id), "whole": url_for(".finish", arrival_id=arrival.id)}
    return jsonify(received=arrival.received, **places)


@blueprint.post("/arrivals/<uuid:arrival_id>/whole")
def finish(arrival_id: uuid.UUID) -> Answer:
    """Keep a file that is here as a draft."""
    draft = arrivals.finish(arrival_id)
    address = url_for(".show_draft", draft_id=draft.id)
    return jsonify(filename=draft.filename, address=address, start=url_for(".start", draft_id=draft.id))


@blueprint.post("/arrivals/<uuid:arrival_id>/discard")
def give_up(arrival_id: uuid.UUID) -> Answer:
    """Put away what has come of a file."""
    arrivals.discard(arrival_id)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.get("/drafts/<uuid:draft_id>")
def show_draft(draft_id: uuid.UUID) -> Response:
    """Show a file's first rows, and how it will be imported."""
    draft = drafts.get(draft_id)
    return _draft("import_draft.html", draft, draft.options)


@blueprint.post("/drafts/<uuid:draft_id>/preview")
@blueprint.arguments(UploadOptionsSchema)
def preview(options: dict[str, Any], draft_id: uuid.UUID) -> Response:
    """Show the first rows anew, with other options."""
    return _draft("_import_preview.html", drafts.get(draft_id), options)


def _draft(template: str, draft: drafts.Draft, options: dict[str, Any]) -> Response:
    return pages.show(
        template,
        section="imports",
        draft=draft,
        options=options,
        preview=drafts.look(draft.id, options),
        saved=mappings.listing()["items"],
        transforms=transforms.listing(),
        fields=drafts.FIELDS,
        encodings=ENCODINGS,
    )


@blueprint.post("/drafts/<uuid:draft_id>/start")
@blueprint.arguments(UploadOptionsSchema)
def start(options: dict[str, Any], draft_id: uuid.UUID) -> Answer:
    """Import the file, or see what that would do."""
    return _go_to(drafts.start(draft_id, options).id)


@blueprint.post("/drafts/<uuid:draft_id>/discard")
def discard(draft_id: uuid.UUID) -> Answer:
    """Put the file away."""
    drafts.discard(draft_id)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.post("/mappings")
@blueprint.arguments(mapping_schemas.MappingCreateSchema)
def keep_mapping(body: dict[str, Any]) -> Response:
    """Keep a mapping under a name."""
    kept = mappings.create(body["name"], body["mapping"])
    return pages.say(Response(status=204), f"The mapping is kept as {kept.name}.")


@blueprint.post("/mappings/<string:name>/delete")
def forget_mapping(name: str) -> Answer:
    """Forget a kept mapping."""
    mappings.delete(name)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.get("/<uuid:import_id>")
def show(import_id: uuid.UUID) -> Response:
    """Show an import: how far it is, or what it did."""
    imported = service.get(import_id)
    at = service.status(import_id)
    return pages.show("import.html", part="_import.html", section="imports", imported=imported, progress=at)


@blueprint.get("/<uuid:import_id>/events")
def watch(import_id: uuid.UUID) -> Response:
    """Tell how far an import is, by server-sent events."""
    return eventstream.answer(service.watch(import_id, request.headers.get("Last-Event-ID")))


@blueprint.post("/<uuid:import_id>/cancel")
def cancel(import_id: uuid.UUID) -> Answer:
    """Cancel an import."""
    return _go_to(service.cancel(import_id).id)


@blueprint.post("/<uuid:import_id>/commit")
def commit(import_id: uuid.UUID) -> Answer:
    """Carry out a dry run."""
    return _go_to(service.carry_out(import_id).id)


@blueprint.get("/<uuid:import_id>/differences")
@blueprint.arguments(schemas.AfterSchema, location="query")
def differences(query: dict[str, Any], import_id: uuid.UUID) -> Response:
    """Show what a dry run would change, page by page."""
    access.demand(["products:read"])
    imported = service.get(import_id)
    return pages.show("_import_differences.html", imported=imported, page=dry_run.page(imported, query["after"]))


@blueprint.get("/<uuid:import_id>/rejected")
@blueprint.arguments(schemas.AfterSchema, location="query")
def rejected(query: dict[str, Any], import_id: uuid.UUID) -> Response:
    """Show the refused rows, to be corrected."""
    return pages.show("import_rejected.html", section="imports", page=corrections.page(import_id, query["after"]))


@blueprint.get("/<uuid:import_id>/errors.csv")
def error_file(import_id: uuid.UUID) -> Response:
    """Download the refused rows."""
    headers = {"Content-Disposition": f'attachment; filename="import-{import_id}-errors.csv"'}
    return Response(service.error_file(import_id), mimetype="text/csv", headers=headers)


@blueprint.post("/<uuid:import_id>/judge")
@blueprint.arguments(schemas.CellsSchema)
def judge(body: dict[str, Any], import_id: uuid.UUID) -> Answer:
    """Tell whether a corrected row would be taken now."""
    return jsonify(refusal=corrections.judge(import_id, body["cells"]))


@blueprint.post("/<uuid:import_id>/again")
@blueprint.arguments(schemas.RowsSchema)
def again(body: dict[str, Any], import_id: uuid.UUID) -> Answer:
    """Import the corrected rows."""
    return _go_to(corrections.again(import_id, body["rows"]).id)


@blueprint.post("/<uuid:import_id>/map-again")
@blueprint.arguments(schemas.RowsSchema)
def map_again(body: dict[str, Any], import_id: uuid.UUID) -> Answer:
    """Make a draft of all refused rows, so that transforms can mend them."""
    draft = corrections.draft(import_id, body["rows"])
    return Response(headers={"HX-Redirect": url_for(".show_draft", draft_id=draft.id)})


def _go_to(import_id: uuid.UUID) -> Answer:
    return Response(headers={"HX-Redirect": url_for(".show", import_id=import_id)})
