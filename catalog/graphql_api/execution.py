"""One operation, from its text to the body that is answered."""

from decimal import Decimal
from typing import Any

from flask import Response, current_app
from graphql import DocumentNode, OperationDefinitionNode, OperationType, get_operation_ast

from catalog import access, idempotency, ratelimits, replica
from catalog.errors import BadRequest, MethodNotAllowed
from catalog.graphql_api import limits
from catalog.graphql_api.documents import Invalid, prepared, scopes_of
from catalog.graphql_api.errors import Refused, answered
from catalog.graphql_api.schema import schema
from catalog.strictjson import fingerprint

Body = dict[str, Any]


def execute(asked: dict[str, Any], *, reads_only: bool = False) -> Body:
    """Run the operation of a loaded RequestSchema and return `data`, `errors` or both.

    A document that is wrong or asks for too much is not run, and has no `data`. Raises MethodNotAllowed for a mutation
    where only reads are allowed, Forbidden for an operation with a field whose scope the caller has not, and
    TooManyRequests where a limit of the caller is used up.
    """
    variables = _binary(asked.get("variables") or {})
    text, name, introspection = asked["query"], asked.get("operation_name"), current_app.config["GRAPHQL_INTROSPECTION"]
    try:
        document = prepared(text, introspection)
        operation = _operation(document, name)
        cost = limits.Cost(limits.fragments_of(document), variables).check(operation)
    except Refused as refusal:
        return {"errors": [answered(refusal)]}
    except Invalid as invalid:
        return {"errors": [answered(error) for error in invalid.errors]}
    if reads_only and operation.operation is not OperationType.QUERY:
        raise MethodNotAllowed("A mutation must be sent with POST.", Allow="POST")
    access.demand(scopes_of(text, introspection, name))
    _count(operation, cost)
    body = _run(asked, document, variables)
    if (
        body.get("data")
        and "errors" in body
        and operation.operation is OperationType.MUTATION
        and idempotency.was_asked()
    ):
        body["data"] = None  # for all of it is undone
    return body


def fingerprint_of_mutation(asked: dict[str, Any]) -> bytes | None:
    """Return what two mutations share that are the same; None for what changes nothing, or cannot be run."""
    try:
        document = prepared(asked["query"], current_app.config["GRAPHQL_INTROSPECTION"])
    except Invalid:
        return None
    operation = get_operation_ast(document, asked.get("operation_name"))
    if operation is None or operation.operation is not OperationType.MUTATION:
        return None
    return fingerprint([asked["query"], asked.get("variables"), asked.get("operation_name")])


def is_whole(response: Response) -> bool:
    """Tell whether an answer has no errors."""
    return "errors" not in response.get_json()


def _count(operation: OperationDefinitionNode, cost: int) -> None:
    """Count what an operation costs; a mutation's fields are writes too. Raises TooManyRequests."""
    if operation.operation is OperationType.QUERY:
        replica.only_reads()
    if operation.operation is OperationType.MUTATION:
        ratelimits.spend("writes", len(operation.selection_set.selections))
    ratelimits.spend("graphql", cost - 1)  # the request has counted as one


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operation = get_operation_ast(document, name)
    if operation is None:
        raise Refused("Say with `operationName` which of the document's operations to run.", "bad_request")
    return operation


def _run(asked: dict[str, Any], document: DocumentNode, variables: dict[str, Any]) -> Body:
    result = schema.execute_sync(
        asked["query"],
        variable_values=variables,
        operation_name=asked.get("operation_name"),
        context_value={"document": document},
    )
    body: Body = {}
    if result.errors:
        body["errors"] = [answered(error) for error in result.errors]
    if result.data is not None or not result.errors or any(error.path for error in result.errors):
        body["data"] = result.data
    return body


def _binary(value: Any) -> Any:
    """GraphQL's Float knows no Decimal, which our JSON parser makes of numbers with a fraction."""
    if isinstance(value, Decimal):
        return _finite(float(value))
    if isinstance(value, dict):
        return {name: _binary(part) for name, part in value.items()}
    return [_binary(part) for part in value] if isinstance(value, list) else value


def _finite(number: float) -> float:
    if abs(number) == float("inf"):
        raise BadRequest("A number in `variables` is too large.")
    return number
