"""REST over users: who there is, what each may do, and an end to it. No password goes over the API."""

import uuid
from typing import Any

from catalog.access import ADMIN
from catalog.http import Blueprint
from catalog.users import schemas, service

blueprint = Blueprint("users", __name__, url_prefix="/api/v1/users", description="People who sign in.", scope=ADMIN)


@blueprint.get("")
@blueprint.arguments(schemas.UserQuerySchema, location="query")
@blueprint.response(200, schemas.UserPageSchema)
def list_users(query: dict[str, Any]) -> Any:
    """List the users

    By name, the disabled ones too. `manage.py users create` makes one.
    """
    return service.page(query)


@blueprint.get("/<uuid:user_id>")
@blueprint.response(200, schemas.UserSchema)
@blueprint.problem(404, "No such user")
def get_user(user_id: uuid.UUID) -> Any:
    """Read what a user may do

    And when the user signed in last.
    """
    return service.get(user_id)


@blueprint.put("/<uuid:user_id>")
@blueprint.arguments(schemas.UserChangeSchema)
@blueprint.response(200, schemas.UserSchema)
@blueprint.problem(404, "No such user")
def put_user(changes: dict[str, Any], user_id: uuid.UUID) -> Any:
    """Change what a user may do

    Only the given fields change, for the next request of each session. Who is disabled has no session any more.
    """
    return service.update(user_id, changes)


@blueprint.delete("/<uuid:user_id>/sessions")
@blueprint.response(204)
@blueprint.problem(404, "No such user")
def delete_user_sessions(user_id: uuid.UUID) -> None:
    """End all sessions of a user

    At once, in every process.
    """
    service.end_sessions(user_id)
