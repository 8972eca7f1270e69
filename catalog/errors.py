"""Errors that services raise, and the one mapping from any error to an RFC 9457 problem answer."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, json, request
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

log = logging.getLogger(__name__)

FieldError = dict[str, str]
RETRY_AFTER_SECONDS = 5


class CatalogError(Exception):
    """Base of the family: `status` is the HTTP status, `code` a stable name for programs."""

    status = 500
    code = "internal_error"

    def __init__(self, detail: str, *, errors: list[FieldError] | None = None, **headers: str):
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class BadRequest(CatalogError):
    status, code = 400, "bad_request"


class ValidationFailed(CatalogError):
    """Input that breaks a rule; `errors` holds one {"field", "message", "code"} for each problem."""

    status, code = 400, "validation_error"

    def __init__(self, errors: list[FieldError]):
        super().__init__("Validation error", errors=errors)


class Unauthorized(CatalogError):
    """Who asks is not known; `WWW-Authenticate` must be given."""

    status, code = 401, "unauthorized"


class Forbidden(CatalogError):
    status, code = 403, "forbidden"


class NotFound(CatalogError):
    status, code = 404, "not_found"


class Conflict(CatalogError):
    status, code = 409, "conflict"


class QuotaExceeded(Conflict):
    """The caller has as much of something as one caller may have."""

    code = "quota_exceeded"


class MethodNotAllowed(CatalogError):
    """The address does not take this with this method; `Allow` must be given."""

    status, code = 405, "method_not_allowed"


class RequestTimedOut(CatalogError):
    status, code = 408, "request_timeout"


class PreconditionFailed(CatalogError):
    status, code = 412, "precondition_failed"


class TooLarge(CatalogError):
    status, code = 413, "too_large"


class UnsupportedMediaType(CatalogError):
    status, code = 415, "unsupported_media_type"


class MisdirectedRequest(CatalogError):
    """The request is for a host that this service does not answer for (RFC 9110, section 15.5.20)."""

    status, code = 421, "misdirected_request"


class StorageFull(CatalogError):
    status, code = 507, "storage_full"


class Unavailable(CatalogError):
    """A server that we depend on does not answer; the caller may try again."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str):
        super().__init__(detail, Retry_After=str(RETRY_AFTER_SECONDS))


class Busy(Unavailable):
    """Something else holds what the request needs, or it takes too long; the caller may try again."""

    code = "busy"


class TooManyRequests(CatalogError):
    """The caller has used up a limit; the answer's headers say which, and when there is more."""

    status, code = 429, "too_many_requests"


def field_error(field: str, message: str, code: str = "invalid") -> FieldError:
    """Return one entry of a problem's `errors`."""
    return {"field": field, "message": message, "code": code}


def flatten(messages: Any, path: str = "") -> list[FieldError]:
    """Turn Marshmallow's nested messages into field errors, whose fields read like `items.3.quantity`."""
    if isinstance(messages, Mapping):
        return [
            error
            for key, value in messages.items()
            for error in flatten(value, path if key == "_schema" else f"{path}.{key}".lstrip("."))
        ]
    if isinstance(messages, str):
        messages = [messages]
    return [field_error(path or "body", message, _code_of(message)) for message in messages]


def _code_of(message: str) -> str:
    known = {"Missing data for required field.": "required", "Unknown field.": "unknown_field"}
    return known.get(message, "invalid")


def problem(error: CatalogError) -> Response:
    """Return the `application/problem+json` answer for an error (RFC 9457, section 3)."""
    body = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES.get(error.status, "Error"),
        "status": error.status,
        "detail": error.detail,
        "instance": request.path,
        "code": error.code,
        "request_id": g.get("request_id"),
    }
    if error.errors:
        body["errors"] = error.errors
    response = Response(json.dumps(body), error.status, mimetype="application/problem+json")
    response.headers.update(error.headers)
    return response


def register(app: Flask) -> None:
    """Answer every error of the app as a problem: ours, HTTP's, the database's and the unexpected."""
    app.register_error_handler(CatalogError, problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _other_problem)


HTTP_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    421: "misdirected_request",
    429: "too_many_requests",
    431: "headers_too_large",
    503: "unavailable",
    507: "storage_full",
}


def _http_problem(exception: HTTPException) -> Response:
    status = exception.code or 500
    if status < 400:
        return exception.get_response()  # type: ignore[return-value]  # a redirect, say
    if isinstance(exception.__context__, TimeoutError):  # werkzeug takes it for a client that left
        return problem(RequestTimedOut("The request came too slowly."))
    error = CatalogError(exception.description or "")
    error.status, error.code = status, HTTP_CODES.get(status, f"http_{status}")
    # Only Allow, Retry-After and the like matter here; the HTML body and its headers do not.
    error.headers = {
        name: value
        for name, value in exception.get_headers()
        if name.lower() in ("allow", "retry-after", "www-authenticate", "content-range")
    }
    return problem(error)


def _other_problem(exception: Exception) -> Response:
    return problem(as_catalog_error(exception))


BUSY = {  # by PostgreSQL's code
    "40P01": "This and another change waited for each other.",
    "55P03": "Another change holds what this one needs.",
    "57014": "The database took too long for this.",
}


def as_catalog_error(exception: Exception) -> CatalogError:
    """Return what a caller may know of an exception; what is not a refusal of ours is logged."""
    if isinstance(exception, CatalogError):
        return exception
    if isinstance(exception, DBAPIError) and (busy := BUSY.get(getattr(exception.orig, "pgcode", None) or "")):
        log.warning("%s", busy, exc_info=exception)
        return Busy(f"{busy} Please try again.")
    if isinstance(exception, OperationalError | PoolTimeout):
        log.error("The database did not answer", exc_info=exception)
        return Unavailable("The database does not answer just now. Please try again.")
    log.error("Unexpected error", exc_info=exception)
    return CatalogError("Something went wrong on our side. The request id helps to find it.")
