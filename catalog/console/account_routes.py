"""One's own page: who one is here, where else one is signed in, and another password."""

import uuid
from typing import Any

from flask import Response, request, url_for
from werkzeug import Response as Answer

from catalog import gate
from catalog.console import pages, signing_in
from catalog.sessions import service as sessions
from catalog.users import schemas

blueprint = pages.blueprint("account", __name__)


@blueprint.get("")
def index() -> Response:
    """Show who is signed in, and where."""
    return pages.show("account.html", section="account", page=sessions.own(), present=sessions.id_of(_token()))


@blueprint.post("/sessions/<uuid:session_id>/end")
def end_session(session_id: uuid.UUID) -> Answer:
    """End one of one's own sessions."""
    sessions.end_own(session_id)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.post("/password")
@blueprint.arguments(schemas.OwnPasswordSchema)
def change_password(given: dict[str, Any]) -> Answer:
    """Change one's own password: all sessions end, and this browser gets a new one."""
    agent = request.headers.get("User-Agent", "")
    token = sessions.change_password(**given, address=request.remote_addr or "", agent=agent)
    return signing_in.begun(Response(headers={"HX-Redirect": url_for(".index")}), token)


def _token() -> str:
    return gate.session_token() or ""
