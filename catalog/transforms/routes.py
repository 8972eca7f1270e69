"""REST over transforms."""

from typing import Any

from catalog.http import Blueprint
from catalog.transforms import schemas, service

blueprint = Blueprint(
    "transforms",
    __name__,
    url_prefix="/api/v1/transforms",
    description="Functions over values, also for imports.",
    scope="imports",
)


@blueprint.get("")
@blueprint.response(200, schemas.TransformsSchema)
def list_transforms() -> Any:
    """List the transforms

    With their signatures; those of installed packages too.
    """
    return service.page()


@blueprint.post("/<string:name>")
@blueprint.arguments(schemas.CallSchema, example={"arguments": [5, 7]})
@blueprint.response(200, schemas.TransformResultSchema, example={"name": "add", "result": 12, "text": "12"})
@blueprint.problem(400, "Wrong arguments, by their names, or a value that the transform can make nothing of")
@blueprint.problem(404, "No such transform")
def call_transform(body: dict[str, Any], name: str) -> Any:
    """Apply a transform

    To `arguments` in order, or by name. Numbers are exact: `text` holds every digit.
    """
    return service.answer(name, body["arguments"])
