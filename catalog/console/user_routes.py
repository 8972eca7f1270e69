"""The users page: who signs in with a password, and who is signed in."""

import uuid
from typing import Any

from flask import Response, url_for
from werkzeug import Response as Answer

from catalog.access import SCOPES
from catalog.console import pages
from catalog.sessions import schemas as session_schemas
from catalog.sessions import service as sessions
from catalog.users import schemas as user_schemas
from catalog.users import service

blueprint = pages.blueprint("users", __name__)


@blueprint.get("")
@blueprint.arguments(user_schemas.UserQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List the users."""
    return pages.show("users.html", section="users", page=service.page(query))


@blueprint.get("/sessions")
@blueprint.arguments(session_schemas.SessionQuerySchema, location="query")
def list_sessions(query: dict[str, Any]) -> Response:
    """List who is signed in."""
    return pages.show("_sessions.html", page=sessions.page(query), own=False)


@blueprint.get("/<uuid:user_id>")
def edit(user_id: uuid.UUID) -> Response:
    """Show what a user may do, to be changed."""
    return pages.show("_user_form.html", user=service.get(user_id), scopes=SCOPES)


@blueprint.post("/<uuid:user_id>")
@blueprint.arguments(user_schemas.UserChangeSchema)
def change(changes: dict[str, Any], user_id: uuid.UUID) -> Answer:
    """Change what a user may do."""
    service.update(user_id, changes)
    return _to_the_list()


@blueprint.post("/<uuid:user_id>/end-sessions")
def end_sessions(user_id: uuid.UUID) -> Answer:
    """End all sessions of a user."""
    service.end_sessions(user_id)
    return _to_the_list()


@blueprint.post("/sessions/<uuid:session_id>/end")
def end_session(session_id: uuid.UUID) -> Answer:
    """End a session."""
    sessions.end(session_id)
    return _to_the_list()


def _to_the_list() -> Answer:
    return Response(headers={"HX-Redirect": url_for(".index")})
