"""GraphQL over HTTP, and GraphiQL for a browser."""

from typing import Any

from flask import Response, current_app, json, request

from catalog.access import BY_FIELD
from catalog.errors import BadRequest
from catalog.gate import is_open
from catalog.graphql_api.execution import Body, execute, fingerprint_of_mutation, is_whole
from catalog.graphql_api.schemas import AnswerSchema, GetSchema, RequestSchema
from catalog.http import Blueprint
from catalog.pages import page

blueprint = Blueprint(
    "graphql",
    __name__,
    url_prefix="/graphql",
    template_folder="templates",
    static_folder="static",
    description="The same catalog for GraphQL clients.",
    scope=BY_FIELD,
)

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
_ANSWER = {"data": {"allProducts": [{"title": "Desk lamp", "price": 39.9}]}}


@blueprint.post("")
@blueprint.arguments(RequestSchema)
@blueprint.once(fingerprint_of_mutation, keeps=is_whole)
@blueprint.response(200, AnswerSchema, example=_ANSWER)
@blueprint.alt_response(200, schema=AnswerSchema, content_type=GRAPHQL_JSON, example=_ANSWER)
@blueprint.problem(400, "It holds no operation")
@blueprint.alt_response(
    400, schema=AnswerSchema, content_type=GRAPHQL_JSON, description="It holds no operation, or one that was not run"
)
def post_operation(asked: dict[str, Any]) -> Response:
    """Run a GraphQL operation

    One operation with its variables; a list of them is refused. Errors carry the REST API's `code` in `extensions`.
    """
    return _answer(execute(asked))


@blueprint.get("")
@blueprint.arguments(GetSchema, location="query")
@blueprint.response(200, AnswerSchema, example=_ANSWER)
@blueprint.alt_response(200, schema=AnswerSchema, content_type=GRAPHQL_JSON, example=_ANSWER)
@blueprint.alt_response(200, schema={"type": "string"}, content_type="text/html", example="<!doctype html>…")
@blueprint.problem(400, "It holds no operation")
@blueprint.alt_response(
    400, schema=AnswerSchema, content_type=GRAPHQL_JSON, description="It holds no operation, or one that was not run"
)
@blueprint.problem(405, "A mutation, which must be sent with POST")
def get_operation(asked: dict[str, Any]) -> Response:
    """Run a GraphQL query

    While the service is open, a browser gets GraphiQL, a page for trying out operations.
    """
    wanted = request.accept_mimetypes.best_match([JSON, GRAPHQL_JSON, "text/html"])
    if wanted == "text/html" and is_open(current_app.config):
        return _page()
    if "query" not in asked:
        raise BadRequest("Send an operation with POST, or a query as ?query=…")
    return _answer(execute(asked, reads_only=True))


def _answer(body: Body) -> Response:
    """Answer as GraphQL over HTTP wants it: 200 in plain JSON, whatever it holds, since old clients expect that."""
    modern = request.accept_mimetypes.best_match([JSON, GRAPHQL_JSON]) == GRAPHQL_JSON
    status = 400 if modern and "data" not in body else 200
    return Response(json.dumps(body), status, mimetype=GRAPHQL_JSON if modern else JSON)


def _page() -> Response:
    # Its editor writes style attributes, which no nonce can allow.
    return page("graphiql.html", allow={"style-src": "'unsafe-inline'"})
