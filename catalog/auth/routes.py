"""REST over API keys."""

from typing import Any

from flask import url_for

from catalog.access import ADMIN
from catalog.auth import schemas, service
from catalog.auth.models import ApiKey
from catalog.http import Blueprint
from catalog.openapi import LOCATION

blueprint = Blueprint("keys", __name__, url_prefix="/api/v1/keys", description="Who may do what.", scope=ADMIN)


def _with_text(key: ApiKey, text: str) -> dict[str, Any]:
    return {**{name: getattr(key, name) for name in schemas.KeySchema().fields}, "key": text}


@blueprint.get("")
@blueprint.arguments(schemas.KeyQuerySchema, location="query")
@blueprint.response(200, schemas.KeyPageSchema)
def list_keys(query: dict[str, Any]) -> Any:
    """List the keys

    The newest first, the revoked ones too.
    """
    return service.page(query)


@blueprint.post("")
@blueprint.arguments(schemas.KeyCreateSchema)
@blueprint.once(is_sealed=True)
@blueprint.response(201, schemas.NewKeySchema, headers=LOCATION)
def create_key(fields: dict[str, Any]) -> Any:
    """Make a key

    Its `key` is shown in this answer, and never again.
    """
    key, text = service.create(fields)
    location = url_for("keys.get_key", key_id=key.id)
    return _with_text(key, text), 201, {"Location": location, "Cache-Control": "no-store"}


@blueprint.get("/<string:key_id>")
@blueprint.response(200, schemas.KeySchema)
@blueprint.problem(404, "No such key")
def get_key(key_id: str) -> Any:
    """Read what a key may do

    And when it was last used; not its secret, which is not kept.
    """
    return service.get(key_id)


@blueprint.put("/<string:key_id>")
@blueprint.arguments(schemas.KeyChangeSchema)
@blueprint.response(200, schemas.KeySchema)
@blueprint.problem(404, "No such key")
@blueprint.problem(409, "It is revoked")
def put_key(changes: dict[str, Any], key_id: str) -> Any:
    """Change what a key may do

    Only the given fields change; every process knows within 5 seconds.
    """
    return service.update(key_id, changes)


@blueprint.delete("/<string:key_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such key")
def delete_key(key_id: str) -> None:
    """Revoke a key

    For good, in every process within 5 seconds. It stays in the list, as what it did is told under its id.
    """
    service.revoke(key_id)


@blueprint.post("/<string:key_id>/rotate")
@blueprint.arguments(schemas.RotateKeySchema, required=False)
@blueprint.once(is_sealed=True)
@blueprint.response(200, schemas.NewKeySchema)
@blueprint.problem(404, "No such key")
@blueprint.problem(409, "It is revoked")
def rotate_key(wanted: dict[str, Any], key_id: str) -> Any:
    """Give a key a new secret

    The new `key` is shown in this answer, and never again. The old one works for `previous_valid_hours` more.
    """
    return _with_text(*service.rotate(key_id, **wanted)), 200, {"Cache-Control": "no-store"}
