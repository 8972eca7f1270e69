"""Errors as GraphQL answers them: the REST API's code and field errors in `extensions`."""

import re
from typing import Any

from flask import g
from graphql import GraphQLError

from catalog.errors import CatalogError, as_catalog_error
from catalog.redaction import redacted

_QUOTED_VALUE = re.compile(r"(cannot represent .*?value): .*|(\b(?:Block)?String) '.*'", re.DOTALL)


class Refused(GraphQLError):
    """A document that is not executed; `code` says why, in a word for programs."""

    def __init__(self, message: str, code: str, cause: GraphQLError | None = None):
        if cause is None:
            super().__init__(message)
        else:
            super().__init__(message, cause.nodes, cause.source, cause.positions)
        self.code = code


def answered(error: GraphQLError) -> dict[str, Any]:
    """Return an error as it is answered. What was unexpected is logged, and says no more than the request's id."""
    body: dict[str, Any] = {"message": _without_values(error.message)}
    if error.locations:
        body["locations"] = [location.formatted for location in error.locations]
    if error.path:
        body["path"] = error.path
    known = _known(error)
    if known is None:
        return {**body, "extensions": {"code": getattr(error, "code", "bad_request")}}
    return {**body, "message": known.detail, "extensions": _extensions(known)}


def _without_values(message: str) -> str:
    """graphql-core quotes the value that it refuses, which may be a secret in the wrong place; the location says it."""
    return _QUOTED_VALUE.sub(lambda found: found[1] or found[2], redacted(message))


def _known(error: GraphQLError) -> CatalogError | None:
    """Return the error of ours behind it, or None for GraphQL's own: a wrong document, a wrong variable."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if not isinstance(cause, Exception) or not error.path:
        return None
    return as_catalog_error(cause)


def _extensions(error: CatalogError) -> dict[str, Any]:
    found: dict[str, Any] = {"code": error.code}
    if error.errors:
        found["errors"] = error.errors
    if error.status >= 500:
        found["request_id"] = g.get("request_id")
    return found
