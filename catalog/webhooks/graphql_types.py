"""Webhooks as GraphQL shows them."""

from typing import Any, Self

import strawberry
from strawberry import ID

from catalog.graph import Json, Time
from catalog.webhooks import models
from catalog.webhooks.transfer import Result

_SHOWN = (
    *("url", "events", "is_active", "has_secret", "description", "retry_count", "durable", "timeout_seconds"),
    *("last_triggered_at", "last_error", "failing_since", "success_count", "failure_count"),
    *("created_at", "updated_at"),
)
_LOGGED = ("event", "payload", "attempt", "status_code", "response_body", "response_time_ms", "error", "created_at")


@strawberry.type
class Webhook:
    """Who is told of which events. Its secret is never shown."""

    id: ID
    url: str
    events: list[str]
    is_active: bool
    has_secret: bool
    description: str | None
    headers: Json
    retry_count: int
    durable: bool
    timeout_seconds: int
    last_triggered_at: Time | None
    last_error: str | None
    failing_since: Time | None
    success_count: int
    failure_count: int
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, row: models.Webhook) -> Self:
        """Return a row of the table as it is shown."""
        shown = {name: getattr(row, name) for name in _SHOWN}
        return cls(id=ID(str(row.id)), headers=Json(row.shown_headers), **shown)


@strawberry.type
class WebhookPage:
    """A page of webhooks, the oldest first."""

    items: list[Webhook]
    total: int
    has_more: bool


@strawberry.type
class WebhookLog:
    """One attempt; `payload` is null once the event is no longer kept."""

    id: ID
    webhook_id: ID
    delivery_id: ID
    event: str
    payload: Json | None
    attempt: int
    status_code: int | None
    response_body: str | None
    response_time_ms: int
    error: str | None
    created_at: Time

    @classmethod
    def of(cls, row: models.Attempt) -> Self:
        """Return a row of the table, read with its payload, as it is shown."""
        logged: dict[str, Any] = {name: getattr(row, name) for name in _LOGGED}
        ids = {name: ID(str(getattr(row, name))) for name in ("id", "webhook_id", "delivery_id")}
        return cls(**{**logged, **ids})


@strawberry.type
class WebhookLogPage:
    """A page of attempts, the newest first."""

    items: list[WebhookLog]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: dict[str, Any]) -> Self:
        """Return a page of the log as it is shown."""
        cursor = page["next_cursor"]
        items = [WebhookLog.of(row) for row in page["items"]]
        return cls(items=items, has_more=page["has_more"], next_cursor=str(cursor) if cursor else None)


@strawberry.type
class WebhookPayload:
    """The webhook as it is after a change."""

    webhook: Webhook


@strawberry.type
class WebhookTest:
    """How a test went."""

    success: bool
    status_code: int | None
    response_time_ms: int
    response_body: str
    error: str | None

    @classmethod
    def of(cls, result: Result) -> Self:
        """Return a sender's result as it is shown."""
        return cls(
            success=result.error is None,
            status_code=result.status_code,
            response_time_ms=result.milliseconds,
            response_body=result.body,
            error=result.error,
        )
