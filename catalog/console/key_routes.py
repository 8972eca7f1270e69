"""The keys page: who may do what over the API."""

from typing import Any

from flask import Response, request, url_for
from werkzeug import Response as Answer

from catalog.access import SCOPES
from catalog.auth import schemas, service
from catalog.console import pages

blueprint = pages.blueprint("keys", __name__)


@blueprint.get("")
@blueprint.arguments(schemas.KeyQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List keys."""
    page, given = service.page(query), request.args.to_dict()
    return pages.show("keys.html", part="_keys_list.html", section="keys", page=page, given=given)


@blueprint.get("/new")
def new() -> Response:
    """Show the form of a new key."""
    return pages.show("_key_new.html", scopes=SCOPES)


@blueprint.post("")
@blueprint.arguments(schemas.KeyCreateSchema)
def create(fields: dict[str, Any]) -> Response:
    """Make a key, and show it this once."""
    key, text = service.create(fields)
    return pages.show("_key_shown.html", key=key, text=text, new=True)


@blueprint.post("/<string:key_id>/rotate")
@blueprint.arguments(schemas.RotateKeySchema)
def rotate(wanted: dict[str, Any], key_id: str) -> Response:
    """Give a key a new secret, and show it this once."""
    key, text = service.rotate(key_id, **wanted)
    return pages.show("_key_shown.html", key=key, text=text, new=False)


@blueprint.post("/<string:key_id>/revoke")
def revoke(key_id: str) -> Answer:
    """End a key for good."""
    service.revoke(key_id)
    return Response(headers={"HX-Redirect": url_for(".index")})
