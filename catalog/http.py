"""What all routes share: bodies and queries through schemas, errors by field, and entity tags."""

import hashlib
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn

import flask_smorest
import marshmallow as ma
from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from webargs import missing
from webargs.flaskparser import FlaskParser
from werkzeug.http import parse_etags

from catalog import access, examples, idempotency, openapi
from catalog.cache import Copy
from catalog.errors import BadRequest, TooLarge, UnsupportedMediaType, ValidationFailed, field_error, flatten
from catalog.strictjson import JSON_MAX_BYTES, fingerprint, parse_json

_RAW = "catalog.raw_body"
_NO_QUERY = "Unknown query parameter: this operation takes none."


def raw_body(req: Request) -> bytes:
    """Return the body, read once, however often it is asked for; of one that is too large a byte too much."""
    if _RAW not in req.environ:
        # One byte more than allowed is enough to know, whatever Content-Length claims.
        req.environ[_RAW] = req.stream.read(JSON_MAX_BYTES + 1)
    return req.environ[_RAW]  # type: ignore[no-any-return]


def json_fingerprint(*_: Any, **__: Any) -> bytes:
    """Return what two requests share whose JSON is the same, in whatever order and with whatever space."""
    raw = raw_body(request)
    return fingerprint(parse_json(raw)) if raw else hashlib.sha256(raw).digest()


class Parser(FlaskParser):
    """Loads bodies and query strings through a schema; what is wrong raises our errors."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """Return the parsed body, or missing where there is none.

        Raises UnsupportedMediaType for a body of another type, BadRequest for one that is no JSON.
        """
        if (req.content_length or 0) > JSON_MAX_BYTES:
            raise TooLarge(f"The JSON body is larger than {JSON_MAX_BYTES:,} bytes.")
        raw = raw_body(req)
        if len(raw) < min(req.content_length or 0, JSON_MAX_BYTES):
            raise BadRequest("The body ended before its Content-Length.")
        if not raw and not req.is_json:
            return missing
        if not req.is_json:
            raise UnsupportedMediaType("Send the body as Content-Type: application/json.")
        return parse_json(raw)

    def handle_error(self, error: ma.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise ValidationFailed with one entry for each field, without the location around them."""
        messages = error.messages
        if isinstance(messages, dict) and len(messages) == 1:
            location, inner = next(iter(messages.items()))
            messages = inner if location in ("json", "query", "form", "files") else messages
        raise ValidationFailed(flatten(messages))


class Blueprint(flask_smorest.Blueprint, access.Blueprint):
    """A blueprint whose `arguments()` are read by our parser, and that documents what all operations share.

    `needs_servers` is False for operations that answer without PostgreSQL and Redis; `scope` and `writes` are as in
    catalog.access.
    """

    ARGUMENTS_PARSER = Parser()
    PAGINATION_HEADER_NAME = None

    def __init__(self, *args: Any, needs_servers: bool = True, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(lambda doc, *_, **__: openapi.complete(doc, needs_servers))
        self._prepare_doc_cbks.append(lambda doc, info, **_: openapi.once(doc) if info.get("once") else doc)
        self._prepare_doc_cbks.append(lambda doc, info, *, app, **_: openapi.secure(doc, info["scope"], app.config))

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register an operation; one that declares no query rejects requests that have one, unless `any_query`."""
        if not options.pop("any_query", False) and self._rejects_query(view_func, options):
            view_func = _without_query(view_func)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def _rejects_query(self, view: Any, options: dict[str, Any]) -> bool:
        if self.scope_of(options) in (access.PUBLIC, access.BY_FIELD):
            return False
        if access.is_read(options) and not (self.url_prefix or "").startswith("/api/"):
            return False  # a page: links to it may carry parameters of their own
        parameters = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
        return all(parameter["in"] != "query" for parameter in parameters)

    def _store_endpoint_docs(self, endpoint: str, *args: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, *args, **options)
        for method in options.get("methods", ("GET",)):
            self._docs[endpoint][method.lower()]["scope"] = self.scope_of(options)

    def arguments(self, schema: Any, *, location: str = "json", required: bool = True, **kwargs: Any) -> Any:
        """Load the body (or `location`) through a schema; the example is made from it where none is given."""
        if location != "json":
            return super().arguments(schema, location=location, **kwargs)
        kwargs.setdefault("example", examples.of_request(schema))
        load = super().arguments(schema, required=required, **kwargs)
        return (lambda view: _with_body(load(view))) if required else load

    def response(self, status_code: int, schema: Any = None, *, example: Any = None, **kwargs: Any) -> Any:
        """Answer through a schema; the example is made from it where none is given."""
        return super().response(status_code, schema, example=_example(schema, example), **kwargs)

    def alt_response(self, status_code: int, *args: Any, schema: Any = None, example: Any = None, **kwargs: Any) -> Any:
        """Document another answer; the example is made from the schema where none is given."""
        example = _example(schema, example)
        return super().alt_response(status_code, *args, schema=schema, example=example, **kwargs)

    def once(
        self,
        fingerprint: Callable[..., bytes | None] = json_fingerprint,
        keeps: Callable[[Response], bool] | None = None,
        *,
        is_sealed: bool = False,
    ) -> Any:
        """Take an `Idempotency-Key`; to be the decorator right above `response()`. See `idempotency.Terms`."""
        given = {"keeps": keeps} if keeps else {}
        terms = idempotency.Terms(fingerprint, is_sealed=is_sealed, **given)

        def decorate(view: Any) -> Any:
            wrapper: Any = idempotency.once(view, terms)
            wrapper._apidoc = {**deepcopy(getattr(view, "_apidoc", {})), "once": True}
            return wrapper

        return decorate

    def problem(self, status: int, description: str) -> Any:
        """Document that an operation can end with this HTTP status."""
        return self.alt_response(
            status,
            schema=openapi.ProblemSchema,
            content_type=openapi.PROBLEM,
            description=description,
            example=openapi.problem_example(status, description),
        )


def _with_body(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a request without any body, which would else be taken for one that changes nothing."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not (request.content_length or request.is_json or "Transfer-Encoding" in request.headers):
            raise BadRequest("Send a body as Content-Type: application/json.")
        return view(*args, **kwargs)

    return checked


def _without_query(view: Callable[..., Any]) -> Callable[..., Any]:
    """Reject query parameters that would be ignored, e.g. a `dry_run` that belongs in the form."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if request.args:
            message = _NO_QUERY if request.method in ("GET", "HEAD") else f"{_NO_QUERY} Send fields in the body."
            raise ValidationFailed([field_error(name, message, "unknown_field") for name in list(request.args)[:20]])
        return view(*args, **kwargs)

    checked._apidoc = deepcopy(getattr(view, "_apidoc", {}))  # type: ignore[attr-defined]
    documented = checked._apidoc.setdefault("arguments", {"parameters": []})  # type: ignore[attr-defined]
    documented.setdefault("responses", {})[400] = HTTPStatus.BAD_REQUEST.name
    return checked


def _example(schema: Any, given: Any) -> Any:
    is_schema = isinstance(schema, ma.Schema) or (isinstance(schema, type) and issubclass(schema, ma.Schema))
    return examples.of_answer(schema) if given is None and is_schema else given


def etag(version: int) -> str:
    """Return the strong entity tag of a row's version, quoted as the header wants it."""
    return f'"{version}"'


def wanted_versions() -> set[int] | None:
    """Return the versions that `If-Match` allows, or None where any will do (RFC 9110, 13.1.1)."""
    if not request.headers.get("If-Match", "").strip():
        return None
    tags = request.if_match
    if tags.star_tag:
        return None
    return {int(tag) for tag in tags.as_set() if tag and tag.isdecimal() and len(tag) < 10}  # `""` is read as None


def is_current(version: int) -> bool:
    """Tell whether the caller already holds this version (`If-None-Match`, RFC 9110, 13.1.2)."""
    tags = request.if_none_match
    return tags.star_tag or tags.contains_weak(str(version))


def copy_answer(copy: Copy) -> Response:
    """Answer with a cached copy's bytes, or 304 to a caller that holds them already."""
    headers = {"ETag": copy.etag, "X-Cache": copy.outcome}
    if holds(request.headers.get("If-None-Match"), copy.etag):
        return Response(status=304, headers=headers)
    return Response(copy.body, headers=headers, mimetype="application/json")


def holds(if_none_match: str | None, tag: str) -> bool:
    """Tell whether an `If-None-Match` header names this quoted entity tag (RFC 9110, 13.1.2)."""
    if not if_none_match:
        return False
    tags = parse_etags(if_none_match)
    return tags.star_tag or tags.contains_weak(tag.strip('"'))


class Json(DefaultJSONProvider):
    """JSON as it is answered: keys in their own order, text as it is, money as numbers."""

    sort_keys = False
    ensure_ascii = False

    @staticmethod
    def default(o: Any) -> Any:  # the name is that of the method it overrides
        """Return what stands for an object that JSON does not know."""
        return float(o) if isinstance(o, Decimal) else DefaultJSONProvider.default(o)


def configure(app: Flask) -> None:
    """Set what all answers share: keys in their own order, and text as it is."""
    app.json = Json(app)
