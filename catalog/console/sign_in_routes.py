"""Signing in and out: the two pages of the console that everybody gets."""

from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug import Response as Answer

from catalog import gate
from catalog.access import PUBLIC
from catalog.console import pages, schemas, signing_in
from catalog.http import Blueprint
from catalog.sessions import service as sessions

blueprint = Blueprint("console_sign_in", __name__, url_prefix=pages.PREFIX, scope=PUBLIC)
blueprint.before_request(pages.check_origin)


@blueprint.get("/sign-in")
@blueprint.arguments(schemas.SignInQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """Show where one signs in."""
    return pages.show("sign_in.html", **query)


@blueprint.post("/sign-in")
@blueprint.arguments(schemas.SignInSchema, location="form")
def sign_in(given: dict[str, Any]) -> Answer:
    """Begin a session in place of the one that there was, and go to the page that was wanted."""
    wanted, agent = given.pop("next"), request.headers.get("User-Agent", "")
    token = sessions.begin(given, request.remote_addr or "", agent, gate.session_token())
    return signing_in.begun(pages.without_token(redirect(signing_in.target(wanted), 303)), token)


@blueprint.post("/sign-out")
@blueprint.arguments(schemas.SignOutSchema, location="form")
def sign_out(_: dict[str, Any]) -> Answer:
    """End the session."""
    sessions.sign_out(gate.session_token())
    return signing_in.ended(redirect(url_for(".index", out="yes"), 303))
