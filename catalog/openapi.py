"""What the API's document says of every operation, so that the routes need not: shared errors, headers, examples."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response, json, request
from marshmallow import validate
from werkzeug.routing import IntegerConverter, PathConverter, UnicodeConverter, UUIDConverter

from catalog import access, examples, gate
from catalog.errors import HTTP_CODES
from catalog.fields import Number

PROBLEM = "application/problem+json"

# The errors that follow from what an operation is, by the name of their status.
SHARED = {
    "BAD_REQUEST": "Something in the request breaks a rule; `errors` tell it by field",
    "UNAUTHORIZED": "No key was sent, or one that is not valid (any more)",
    "FORBIDDEN": "The key has not the scope that this needs; `detail` names it",
    "REQUEST_ENTITY_TOO_LARGE": "The body is larger than 1,000,000 bytes",
    "UNSUPPORTED_MEDIA_TYPE": "The body is not `application/json`",
    "TOO_MANY_REQUESTS": "More than the caller may ask for; `RateLimit` and `RateLimit-Policy` tell which limit it is",
    "SERVICE_UNAVAILABLE": "A server that this needs does not answer; try again after `Retry-After` seconds",
}
_ALWAYS = ("TOO_MANY_REQUESTS", "SERVICE_UNAVAILABLE")
_BODY = ("BAD_REQUEST", "REQUEST_ENTITY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")

SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `cat_live_…`"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key"},
}
CHALLENGE = {
    "WWW-Authenticate": {
        "description": "How to ask (RFC 6750)",
        "schema": {"type": "string", "example": 'Bearer realm="catalog"'},
    }
}
ETAG = {"ETag": {"description": "The version, quoted", "schema": {"type": "string", "example": '"1"'}}}
LOCATION = {
    "Location": {
        "description": "Where it is, or where to watch it",
        "schema": {"type": "string", "format": "uri-reference", "example": f"/api/v1/products/{examples.ID}"},
    }
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "string", "example": "5"}}}

_HEADERS = {401: CHALLENGE, 429: RETRY_AFTER, 503: RETRY_AFTER}


class ErrorSchema(ma.Schema):
    """One field's problem."""

    field = ma.fields.String(required=True, metadata={"example": "price"})
    message = ma.fields.String(required=True, metadata={"example": "At most 2 decimals."})
    code = ma.fields.String(required=True, metadata={"example": "invalid"})


class ProblemSchema(ma.Schema):
    """RFC 9457 problem details, as every error is answered."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    instance = ma.fields.String(required=True, metadata={"description": "The path that was asked"})
    code = ma.fields.String(required=True, metadata={"description": "A stable name for programs"})
    request_id = ma.fields.String(required=True, allow_none=True, metadata={"description": "The log has it too"})
    errors = ma.fields.List(ma.fields.Nested(ErrorSchema), metadata={"description": "What is wrong, by field"})


def problem_example(status: int, description: str) -> dict[str, Any]:
    """Return what an error with this status looks like."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": "Validation error" if status == 400 else f"{description}.",
        "instance": "/api/v1/…",
        "code": "validation_error" if status == 400 else HTTP_CODES.get(status, f"http_{status}"),
        "request_id": "c0e75370ab8d4bd7aab6cd24123146c3",
    }
    return {**body, "errors": [examples.of_answer(ErrorSchema)]} if status == 400 else body


class Api(flask_smorest.Api):
    """flask-smorest's API with our errors, and with what its converter leaves out of the schemas."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation lists its errors
    _document: tuple[bytes, str] | None = None  # as JSON, and its entity tag

    def init_app(self, app: Flask, **kwargs: Any) -> None:
        """Set up the document, before any blueprint is registered."""
        super().init_app(app, **kwargs)
        access.declare(app, "api-docs.openapi_json", ["GET"], access.PUBLIC)
        for name, scheme in SECURITY.items():
            self.spec.components.security_scheme(name, scheme)
        self.register_field(Number, "number", None)
        self.ma_plugin.converter.add_attribute_function(_exact)
        self.register_converter(UUIDConverter, _parameter(format="uuid", example=examples.ID))
        self.register_converter(UnicodeConverter, _parameter(minLength=1, example=examples.ID))
        self.register_converter(IntegerConverter, _parameter(type="integer", minimum=0, example=123))
        self.register_converter(PathConverter, _parameter(minLength=1, example="LAMP-001"))

    def _openapi_json(self) -> Any:
        """Return the document, made once for each process: making it takes 20 ms, and anyone may ask for it."""
        if self._document is None:
            document = json.dumps(self.spec.to_dict(), separators=(",", ":")).encode()
            self._document = document, hashlib.sha256(document).hexdigest()[:16]
        body, tag = self._document
        response = Response(body, mimetype="application/json")
        response.set_etag(tag)
        return response.make_conditional(request)

    def _register_error_handlers(self) -> None:
        """Leave errors to catalog.errors: flask-smorest's own handler would drop `Allow` from a 405."""

    def _register_responses(self) -> None:
        for name, description in SHARED.items():
            status = HTTPStatus[name].value
            content = {PROBLEM: {"schema": ProblemSchema, "example": problem_example(status, description)}}
            answer: dict[str, Any] = {"description": description, "content": content}
            answer |= {"headers": headers} if (headers := _HEADERS.get(status)) else {}
            self.spec.components.response(name, answer, lazy=True)


def _exact(_: OpenAPIConverter, field: ma.fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Tell limits that are excluded, how exact a number may be, and what the names in an object may be."""
    found = {name: rule for name, rule in field.metadata.items() if name == "propertyNames"}
    if isinstance(field, Number):
        found["multipleOf"] = float(10**-field.places)
    for rule in field.validators:
        if isinstance(rule, validate.Range):
            if rule.min is not None and not rule.min_inclusive:
                found["exclusiveMinimum"] = ret.pop("minimum", rule.min)
            if rule.max is not None and not rule.max_inclusive:
                found["exclusiveMaximum"] = ret.pop("maximum", rule.max)
    return found


def _parameter(**schema: Any) -> Any:
    return lambda _: {"type": "string", **schema}


def complete(operation: dict[str, Any], needs_servers: bool) -> dict[str, Any]:
    """Return an operation with the errors and the headers that follow from what it takes and answers."""
    answers = operation["responses"] = dict(sorted(operation["responses"].items()))
    names = [*(_BODY if "requestBody" in operation else ()), *(_ALWAYS if needs_servers else ())]
    for name in names:
        answers.setdefault(HTTPStatus[name].value, name)
    given = operation.setdefault("parameters", [])
    if 412 in answers:
        given.append(_header("If-Match", "Only where this is the version, e.g. the `ETag` of a `GET`"))
    if 304 in answers:
        given.append(_header("If-None-Match", "304 where this still is the version"))
    if {304, 412} & set(answers):
        for status in {200, 201, 304} & set(answers):
            answers[status].setdefault("headers", {}).update(ETAG)
    return operation


def secure(operation: dict[str, Any], scope: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation with the key that it wants; an open service tells that none is needed either."""
    if scope == access.PUBLIC:
        return {**operation, "security": []}
    roles = [scope] if scope in access.SCOPES else []
    ways: list[dict[str, list[str]]] = [{name: roles} for name in SECURITY]
    operation["security"] = [*ways, {}] if gate.is_open(settings) else ways
    for name in ("UNAUTHORIZED", "FORBIDDEN"):
        operation["responses"].setdefault(HTTPStatus[name].value, name)
    operation["responses"] = dict(sorted(operation["responses"].items()))
    return operation


_KEY = {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "example": "7d9c3f0e-51b7-4c43-9f0a-4c1a6f1f2b11"}
_ONCE = {
    409: "A request with this `Idempotency-Key` is being answered just now",
    422: "This `Idempotency-Key` came with another content before",
}
_REPLAYED = {"Idempotent-Replayed": {"description": "`true`: kept from the first time", "schema": {"type": "string"}}}


def once(operation: dict[str, Any]) -> dict[str, Any]:
    """Return an operation with what an `Idempotency-Key` adds to it."""
    operation["parameters"].append(
        _header("Idempotency-Key", "Makes it safe to repeat the request for 24 hours: it is carried out once", **_KEY)
    )
    answers = operation["responses"]
    answers.setdefault(HTTPStatus.BAD_REQUEST.value, HTTPStatus.BAD_REQUEST.name)
    for status, description in _ONCE.items():
        there = answers.get(status, {}).get("description")
        content = {PROBLEM: {"schema": ProblemSchema, "example": problem_example(status, description)}}
        answers[status] = {"content": content, **answers.get(status, {})}
        answers[status]["description"] = f"{there}; or: {description.lower()}" if there else description
    for status in {200, 201, 202} & set(answers):
        answers[status].setdefault("headers", {}).update(_REPLAYED)
    operation["responses"] = dict(sorted(answers.items()))
    return operation


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"in": "header", "name": name, "description": description, "schema": {"type": "string", **schema}}
