"""What the API takes and gives for what became of events: attempts, deliveries, replays, figures."""

from datetime import UTC
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.examples import ID
from catalog.fields import Moment, utc
from catalog.pagination import CursorPageSchema
from catalog.webhooks.event_scopes import may_read
from catalog.webhooks.events import EVENTS
from catalog.webhooks.models import DELIVERED, FAILED, PENDING
from catalog.webhooks.schemas import URL_SHOWN, known_event


class _Aware(Moment):
    def __init__(self, **kwargs: Any):
        super().__init__(default_timezone=UTC, **kwargs)


class LogQuerySchema(ma.Schema):
    """The filters and the page of a log."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before"})
    event = fields.String(validate=known_event(EVENTS))
    success = fields.Boolean()
    status_code = fields.Integer(validate=validate.Range(100, 999))
    delivery_id = fields.UUID()
    since = _Aware()
    until = _Aware()


class LogSchema(ma.Schema):
    """One attempt; `payload` is null once the event is no longer kept.

    Like `response_body`, which may repeat it, it is null also for callers without the scope of the event.
    """

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
    created_at = Moment(dump_only=True, allow_none=True)

    @ma.post_dump
    def _hide_data(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return data if may_read(data["event"]) else {**data, "payload": None, "response_body": None}


class LogPageSchema(CursorPageSchema):
    """One page of a log."""

    items = fields.List(fields.Nested(LogSchema), required=True)


class DeliveryQuerySchema(ma.Schema):
    """The filters and the page of a list of deliveries."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before"})
    event = fields.String(validate=known_event(EVENTS))
    status = fields.String(validate=validate.OneOf([PENDING, DELIVERED, FAILED]))
    since = _Aware(metadata={"description": "When the event happened, at the earliest"})
    until = _Aware(metadata={"description": "When it happened, before this"})


class DeliverySchema(ma.Schema):
    """An event on its way to one webhook; `event_id` is the `webhook-id` that the receiver sees."""

    id = fields.UUID(required=True)
    webhook_id = fields.UUID(required=True)
    event_id = fields.UUID(required=True)
    event = fields.String(required=True, allow_none=True, metadata={"example": "product.deleted"})
    status = fields.String(required=True, metadata={"example": DELIVERED})
    attempts = fields.Integer(required=True, metadata={"example": 1})
    queued_at = Moment(dump_only=True, allow_none=True)
    next_attempt_at = fields.Function(
        lambda row: utc(row.due_at) if row.due_at and row.status == PENDING else None,
        metadata={"type": ["string", "null"], "format": "date-time"},
    )
    finished_at = Moment(dump_only=True, allow_none=True)


class DeliveryPageSchema(CursorPageSchema):
    """One page of deliveries."""

    items = fields.List(fields.Nested(DeliverySchema), required=True)


class ReplaySchema(ma.Schema):
    """Which past events to send again."""

    since = _Aware()
    until = _Aware()
    status = fields.String(validate=validate.OneOf([DELIVERED, FAILED]))
    event = fields.String(validate=known_event(EVENTS))


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


class WebhookStatsSchema(ma.Schema):
    """One webhook's figures of the last day: percent and milliseconds."""

    webhook_id = fields.UUID(required=True)
    url = fields.String(required=True, metadata=URL_SHOWN)
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
