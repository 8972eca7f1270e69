"""What the API takes and gives for webhooks."""

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import Boolean, Integer, Moment, Text
from catalog.pagination import OffsetPageSchema
from catalog.redaction import MASK
from catalog.webhooks import signing
from catalog.webhooks.events import EVENTS, SUBSCRIPTIONS

MAX_HEADERS = 20
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~\t]{0,998}[!-~])?")
_NAME_SHOWN = {"pattern": f"^{_HEADER_NAME.pattern}$"}
_VALUE_SHOWN = {"pattern": f"^{_HEADER_VALUE.pattern}$"}
_RESERVED = {"connection", "content-length", "content-type", "expect", "host", "keep-alive", "te", "trailer"}
_RESERVED |= {"transfer-encoding", "upgrade", "user-agent"}
_RESERVED_BEGINNINGS = ("x-webhook-", "webhook-", "proxy-")


def known_event(names: tuple[str, ...]) -> validate.OneOf:
    """Return the rule that an event is one of these; the refusal names them."""
    return validate.OneOf(names, error="Unknown event. The known ones are: {choices}.")


class Headers(fields.Dict):
    """Headers of the user's own: none with a line break, none of those that we or HTTP itself set."""

    def __init__(self, **kwargs: Any):
        super().__init__(keys=fields.String(), values=fields.String(metadata=_VALUE_SHOWN), **kwargs)
        self.metadata = {**self.metadata, "maxProperties": MAX_HEADERS, "propertyNames": _NAME_SHOWN}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> dict[str, str]:
        headers: dict[str, str] = super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        if len(headers) > MAX_HEADERS or len({name.lower() for name in headers}) < len(headers):
            raise ma.ValidationError(f"At most {MAX_HEADERS} headers, each once.")
        problems = {name[:100]: _header_problem(name, content) for name, content in headers.items()}
        if any(problems.values()):
            raise ma.ValidationError({name: [found] for name, found in problems.items() if found})
        return headers


def _header_problem(name: str, value: str) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "Not a valid header name."
    if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_BEGINNINGS):
        return "This header is set by the service."
    if not _HEADER_VALUE.fullmatch(value):
        return "A header's value has 1 to 1,000 printable ASCII characters and no line break."
    return None


def secret_rules() -> list[Any]:
    """Return the rules for a secret: 1 to 255 characters, and base64 where it says so."""
    return [validate.Length(1, 255), _standard_form]


def _standard_form(secret: str) -> None:
    try:
        signing.standard_key(secret)
    except ValueError as error:
        raise ma.ValidationError(str(error)) from error


URL_SHOWN = {"format": "uri", "example": "https://hooks.example.com/catalog"}
_EVENTS = {"example": ["product.*", "import.completed"]}


class WebhookFields(ma.Schema):
    """The fields that a client may write."""

    url = Text(validate=validate.Length(1, 500), metadata=URL_SHOWN)
    events = fields.List(
        fields.String(validate=known_event(SUBSCRIPTIONS)),
        validate=validate.Length(1, len(SUBSCRIPTIONS)),
        metadata=_EVENTS,
    )
    is_active = Boolean()
    description = Text(allow_none=True, validate=validate.Length(max=1_000))
    headers = Headers(metadata={"example": {"X-Team": "warehouse"}})
    retry_count = Integer(validate=validate.Range(0, 10), metadata={"description": "Quick retries", "example": 3})
    durable = Boolean(metadata={"description": "Whether retries go on for days after the quick ones"})
    timeout_seconds = Integer(
        validate=validate.Range(1, 60), metadata={"description": "Limit of a whole attempt", "example": 30}
    )
    secret = Text(load_only=True, allow_none=True, validate=secret_rules())


class WebhookCreateSchema(WebhookFields):
    """A new webhook."""

    url = Text(required=True, validate=validate.Length(1, 500), metadata=URL_SHOWN)
    events = fields.List(
        fields.String(validate=known_event(SUBSCRIPTIONS)),
        required=True,
        validate=validate.Length(1, len(SUBSCRIPTIONS)),
        metadata=_EVENTS,
    )


class WebhookChangeSchema(WebhookFields):
    """The fields to change; what is not given stays as it is."""


class WebhookSchema(WebhookFields):
    """A webhook as it is answered; its secret never is."""

    id = fields.UUID(required=True)
    headers = Headers(
        attribute="shown_headers",
        metadata={"example": {"X-Team": "warehouse", "Authorization": MASK}, "description": "Secret values are masked"},
    )
    has_secret = fields.Boolean(required=True)
    last_error = fields.String(required=True, allow_none=True)
    success_count = fields.Integer(required=True, metadata={"example": 41})
    failure_count = fields.Integer(required=True, metadata={"example": 1})
    last_triggered_at = Moment(dump_only=True, allow_none=True)
    failing_since = Moment(dump_only=True, allow_none=True)
    created_at = Moment(dump_only=True, allow_none=True)
    updated_at = Moment(dump_only=True, allow_none=True)


class PageQuerySchema(ma.Schema):
    """The page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))


class WebhookPageSchema(OffsetPageSchema):
    """One page of webhooks."""

    items = fields.List(fields.Nested(WebhookSchema), required=True)


class TestSchema(ma.Schema):
    """What to send as a test."""

    __test__ = False  # for pytest: not a test itself

    event = fields.String(load_default=EVENTS[0], validate=known_event(EVENTS))
    payload = fields.Dict(keys=fields.String(), load_default=dict)


class TestResultSchema(ma.Schema):
    """How the test went."""

    __test__ = False

    success = fields.Function(lambda result: result.error is None, metadata={"type": "boolean", "example": True})
    status_code = fields.Integer(required=True, allow_none=True, metadata={"example": 200})
    response_time_ms = fields.Integer(attribute="milliseconds", required=True, metadata={"example": 35})
    response_body = fields.String(attribute="body", required=True, metadata={"example": "ok"})
    error = fields.String(required=True, allow_none=True)


class RotateSchema(ma.Schema):
    """The new secret; without one, one is made up."""

    secret = Text(load_only=True, validate=secret_rules())


class RotatedSchema(ma.Schema):
    """The answer to a rotation; `secret` is only given, and only here, where it was made up."""

    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True, allow_none=True)
    previous_valid_until = Moment(dump_only=True, allow_none=True)
