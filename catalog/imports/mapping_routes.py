"""REST over the mappings of imports that are kept under a name."""

from typing import Any

from flask import url_for

from catalog.http import Blueprint
from catalog.imports import mapping_schemas as schemas
from catalog.imports import mappings

blueprint = Blueprint(
    "import_mappings",
    __name__,
    url_prefix="/api/v1/imports",
    description="Mappings from columns to fields.",
    scope="imports",
)


@blueprint.get("/mappings")
@blueprint.response(200, schemas.MappingsSchema)
def list_mappings() -> Any:
    """List the kept mappings

    By name.
    """
    return mappings.listing()


@blueprint.post("/mappings")
@blueprint.arguments(schemas.MappingCreateSchema)
@blueprint.once()
@blueprint.response(201, schemas.MappingSchema)
@blueprint.problem(400, "A wrong mapping, by column")
@blueprint.problem(409, "The name is taken, or all mappings have as many bytes as they may have")
def create_mapping(body: dict[str, Any]) -> Any:
    """Keep a mapping under a name

    An upload then takes it by `mapping_name`.
    """
    kept = mappings.create(body["name"], body["mapping"])
    return kept, 201, {"Location": url_for(".get_mapping", name=kept.name)}


@blueprint.post("/suggested-mapping")
@blueprint.arguments(schemas.HeaderSchema)
@blueprint.response(200, schemas.SuggestionSchema)
@blueprint.problem(400, "No header")
def suggest_mapping(body: dict[str, Any]) -> Any:
    """Suggest a mapping for a header

    From names that are ours, in any case, and from known synonyms in a few languages.
    """
    return mappings.suggest(body["header"])


@blueprint.get("/mappings/<string:name>")
@blueprint.response(200, schemas.MappingSchema)
@blueprint.problem(404, "No such mapping")
def get_mapping(name: str) -> Any:
    """Read a kept mapping

    As it will be used by uploads that name it.
    """
    return mappings.get(name)


@blueprint.put("/mappings/<string:name>")
@blueprint.arguments(schemas.MappingChangeSchema)
@blueprint.response(200, schemas.MappingSchema)
@blueprint.problem(400, "A wrong mapping, by column")
@blueprint.problem(404, "No such mapping")
def put_mapping(body: dict[str, Any], name: str) -> Any:
    """Replace a kept mapping

    Imports that were submitted with it keep what it was then.
    """
    return mappings.update(name, body["mapping"])


@blueprint.delete("/mappings/<string:name>")
@blueprint.response(204)
@blueprint.problem(404, "No such mapping")
def delete_mapping(name: str) -> None:
    """Forget a kept mapping

    Imports that were submitted with it keep it.
    """
    mappings.delete(name)
