"""What the API takes and gives for webhooks."""

import re
from datetime import UTC
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.examples import ID
from catalog.fields import Boolean, Integer, Moment, Text, utc
from catalog.webhooks import signing
from catalog.webhooks.events import EVENTS, SUBSCRIPTIONS
from catalog.webhooks.models import DELIVERED, FAILED, PENDING

MAX_HEADERS = 20
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~\t]{0,998}[!-~])?")
_NAME_SHOWN = {"pattern": f"^{_HEADER_NAME.pattern}$"}
_VALUE_SHOWN = {"pattern": f"^{_HEADER_VALUE.pattern}$"}
_RESERVED = {"connection", "content-length", "content-type", "expect", "host", "keep-alive", "te", "trailer"}
_RESERVED |= {"transfer-encoding", "upgrade", "user-agent"}
_RESERVED_BEGINNINGS = ("x-webhook-", "webhook-", "proxy-")


def _moment(name: str) -> fields.Function:
    def written(row: Any) -> str | None:
        value = getattr(row, name)
        return None if value is None else utc(value)

    return fields.Function(written, metadata={"type": ["string", "null"], "format": "date-time"})


def _known(names: tuple[str, ...]) -> validate.OneOf:
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


_URL = {"format": "uri", "example": "https://hooks.example.com/catalog"}
_EVENTS = {"example": ["product.*", "import.completed"]}


class WebhookFields(ma.Schema):
    """The fields that a client may write."""

    url = Text(validate=validate.Length(1, 500), metadata=_URL)
    events = fields.List(
        fields.String(validate=_known(SUBSCRIPTIONS)),
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

    url = Text(required=True, validate=validate.Length(1, 500), metadata=_URL)
    events = fields.List(
        fields.String(validate=_known(SUBSCRIPTIONS)),
        required=True,
        validate=validate.Length(1, len(SUBSCRIPTIONS)),
        metadata=_EVENTS,
    )


class WebhookChangeSchema(WebhookFields):
    """The fields to change; what is not given stays as it is."""


class WebhookSchema(WebhookFields):
    """A webhook as it is answered; its secret never is."""

    id = fields.UUID(required=True)
    has_secret = fields.Boolean(required=True)
    last_error = fields.String(required=True, allow_none=True)
    success_count = fields.Integer(required=True, metadata={"example": 41})
    failure_count = fields.Integer(required=True, metadata={"example": 1})
    last_triggered_at = _moment("last_triggered_at")
    failing_since = _moment("failing_since")
    created_at = _moment("created_at")
    updated_at = _moment("updated_at")


class PageQuerySchema(ma.Schema):
    """The page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))


class WebhookPageSchema(ma.Schema):
    """One page of webhooks."""

    items = fields.List(fields.Nested(WebhookSchema), required=True)
    total = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    offset = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)


class TestSchema(ma.Schema):
    """What to send as a test."""

    __test__ = False  # for pytest: not a test itself

    event = fields.String(load_default=EVENTS[0], validate=_known(EVENTS))
    payload = fields.Dict(keys=fields.String(), load_default=dict)


class TestResultSchema(ma.Schema):
    """How the test went."""

    __test__ = False

    success = fields.Function(lambda result: result.error is None, metadata={"type": "boolean", "example": True})
    status_code = fields.Integer(required=True, allow_none=True, metadata={"example": 200})
    response_time_ms = fields.Integer(attribute="milliseconds", required=True, metadata={"example": 35})
    response_body = fields.String(attribute="body", required=True, metadata={"example": "ok"})
    error = fields.String(required=True, allow_none=True)


class _Aware(Moment):
    def __init__(self, **kwargs: Any):
        super().__init__(default_timezone=UTC, **kwargs)


class LogQuerySchema(ma.Schema):
    """The filters and the page of a log."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before"})
    event = fields.String(validate=_known(EVENTS))
    success = fields.Boolean()
    status_code = fields.Integer(validate=validate.Range(100, 999))
    delivery_id = fields.UUID()
    since = _Aware()
    until = _Aware()


class LogSchema(ma.Schema):
    """One attempt; `payload` is None once the event is no longer kept."""

    id = fields.UUID(required=True)
    webhook_id = fields.UUID(required=True)
    delivery_id = fields.UUID(required=True)
    event = fields.String(required=True, metadata={"example": "product.deleted"})
    payload = fields.Raw(
        required=True,
        metadata={"type": ["object", "null"], "example": {"id": ID, "sku": "LAMP-001", "name": "Desk lamp"}},
    )
    attempt = fields.Integer(required=True, metadata={"example": 1})
    status_code = fields.Integer(required=True, allow_none=True, metadata={"example": 200})
    response_body = fields.String(required=True, allow_none=True)
    response_time_ms = fields.Integer(required=True, metadata={"example": 35})
    error = fields.String(required=True, allow_none=True)
    created_at = _moment("created_at")


class LogPageSchema(ma.Schema):
    """One page of a log."""

    items = fields.List(fields.Nested(LogSchema), required=True)
    limit = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


class DeliveryQuerySchema(ma.Schema):
    """The filters and the page of a list of deliveries."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before"})
    event = fields.String(validate=_known(EVENTS))
    status = fields.String(validate=validate.OneOf([PENDING, DELIVERED, FAILED]))


class DeliverySchema(ma.Schema):
    """An event on its way to one webhook; `event_id` is the `webhook-id` that the receiver sees."""

    id = fields.UUID(required=True)
    webhook_id = fields.UUID(required=True)
    event_id = fields.UUID(required=True)
    event = fields.String(required=True, allow_none=True, metadata={"example": "product.deleted"})
    status = fields.String(required=True, metadata={"example": DELIVERED})
    attempts = fields.Integer(required=True, metadata={"example": 1})
    queued_at = _moment("queued_at")
    next_attempt_at = fields.Function(
        lambda row: utc(row.due_at) if row.due_at and row.status == PENDING else None,
        metadata={"type": ["string", "null"], "format": "date-time"},
    )
    finished_at = _moment("finished_at")


class DeliveryPageSchema(ma.Schema):
    """One page of deliveries."""

    items = fields.List(fields.Nested(DeliverySchema), required=True)
    limit = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


class ReplaySchema(ma.Schema):
    """Which past events to send again."""

    since = _Aware()
    until = _Aware()
    status = fields.String(validate=validate.OneOf([DELIVERED, FAILED]))
    event = fields.String(validate=_known(EVENTS))


class SubmittedReplaySchema(ma.Schema):
    """The answer to a replay that goes on in the background."""

    task_id = fields.UUID(required=True)
    status = fields.String(required=True, metadata={"example": "submitted"})
    message = fields.String(required=True, metadata={"example": "Replay submitted"})


class ReplayStatusSchema(ma.Schema):
    """How far a replay is."""

    task_id = fields.UUID(attribute="id", required=True)
    webhook_id = fields.UUID(required=True)
    status = fields.String(attribute="state", required=True, metadata={"example": "completed"})
    queued = fields.Integer(required=True, metadata={"example": 12})


class RotateSchema(ma.Schema):
    """The new secret; without one, one is made up."""

    secret = Text(load_only=True, validate=secret_rules())


class RotatedSchema(ma.Schema):
    """The answer to a rotation; `secret` is only given, and only here, where it was made up."""

    webhook = fields.Nested(WebhookSchema, required=True)
    secret = fields.String(required=True, allow_none=True)
    previous_valid_until = fields.Function(
        lambda found: utc(found["previous_valid_until"]) if found["previous_valid_until"] else None,
        metadata={"type": ["string", "null"], "format": "date-time"},
    )


class WebhookStatsSchema(ma.Schema):
    """One webhook's figures of the last day: percent and milliseconds."""

    webhook_id = fields.UUID(required=True)
    url = fields.String(required=True, metadata=_URL)
    is_active = fields.Boolean(required=True)
    attempts = fields.Integer(required=True, metadata={"example": 42})
    successes = fields.Integer(required=True, metadata={"example": 41})
    failures = fields.Integer(required=True, metadata={"example": 1})
    pending = fields.Integer(required=True, metadata={"example": 0})
    success_rate = fields.Float(required=True, allow_none=True, metadata={"example": 97.6})
    p50_ms = fields.Float(required=True, allow_none=True, metadata={"example": 21.5})
    p95_ms = fields.Float(required=True, allow_none=True, metadata={"example": 88.0})


class WebhooksStatsSchema(ma.Schema):
    """The figures of the last hours, in all and for each webhook."""

    hours = fields.Integer(required=True, metadata={"example": 24})
    attempts = fields.Integer(required=True, metadata={"example": 42})
    success_rate = fields.Float(required=True, allow_none=True, metadata={"example": 97.6})
    webhooks = fields.List(fields.Nested(WebhookStatsSchema), required=True)
