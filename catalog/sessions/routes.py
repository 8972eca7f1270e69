"""REST over sessions: who is signed in at the console, and an end to it."""

import uuid
from typing import Any

from catalog.access import ADMIN
from catalog.http import Blueprint
from catalog.sessions import schemas, service

blueprint = Blueprint(
    "sessions", __name__, url_prefix="/api/v1/sessions", description="Who is signed in at the console.", scope=ADMIN
)


@blueprint.get("")
@blueprint.arguments(schemas.SessionQuerySchema, location="query")
@blueprint.response(200, schemas.SessionPageSchema)
def list_sessions(query: dict[str, Any]) -> Any:
    """List the open sessions

    Those seen last first. A session counts in the console alone; the API asks for a key.
    """
    return service.page(query)


@blueprint.delete("/<uuid:session_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such session")
def delete_session(session_id: uuid.UUID) -> None:
    """End a session

    At once, in every process.
    """
    service.end(session_id)
