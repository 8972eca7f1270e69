"""GraphQL over webhooks."""

from typing import Any

import strawberry
from strawberry import ID, UNSET

from catalog.graph import Done, Json, Time, given, identity, loaded, needs, wanted
from catalog.webhooks import history, history_schemas, schemas, service
from catalog.webhooks.graphql_types import Webhook, WebhookLogPage, WebhookPage, WebhookPayload, WebhookTest

_PAGE, _LOG, _TEST = schemas.PageQuerySchema(), history_schemas.LogQuerySchema(), schemas.TestSchema()
_NEW, _CHANGES = schemas.WebhookCreateSchema(), schemas.WebhookChangeSchema()
_LISTED = {"limit": "first", "offset": "skip", "cursor": "after"}
_SCOPE = needs("webhooks")


@strawberry.type
class Query:
    """What can be asked about webhooks."""

    @strawberry.field(metadata=_SCOPE)
    def webhooks(self, first: int | None = 20, skip: int | None = 0) -> WebhookPage:
        """Webhooks, the oldest first."""
        page = service.page(**loaded(_PAGE, wanted(limit=first, offset=skip), _LISTED))
        items = [Webhook.of(row) for row in page["items"]]
        return WebhookPage(items=items, total=page["total"], has_more=page["has_more"])

    @strawberry.field(metadata=_SCOPE)
    def webhook(self, webhook_id: ID) -> Webhook | None:
        """Return a webhook by its id."""
        return Webhook.of(service.get(identity(webhook_id)))

    @strawberry.field(metadata=_SCOPE)
    def webhook_logs(
        self,
        webhook_id: ID,
        first: int | None = 50,
        after: str | None = UNSET,
        event: str | None = UNSET,
        success: bool | None = UNSET,
        status_code: int | None = UNSET,
        delivery_id: ID | None = UNSET,
        since: Time | None = UNSET,
        until: Time | None = UNSET,
    ) -> WebhookLogPage:
        """List the attempts of a webhook, newest first."""
        filters = wanted(event=event, success=success, status_code=status_code, delivery_id=delivery_id)
        times = wanted(since=_text(since), until=_text(until))
        query = loaded(_LOG, {**filters, **times, **wanted(limit=first, cursor=after)}, _LISTED)
        return WebhookLogPage.of(history.logs(identity(webhook_id), query))


@strawberry.type
class Mutation:
    """What can be done to webhooks."""

    @strawberry.mutation(metadata=_SCOPE)
    def create_webhook(
        self,
        url: str,
        events: list[str],
        is_active: bool | None = UNSET,
        description: str | None = UNSET,
        headers: Json | None = UNSET,
        retry_count: int | None = UNSET,
        durable: bool | None = UNSET,
        timeout_seconds: int | None = UNSET,
        secret: str | None = UNSET,
    ) -> WebhookPayload:
        """Create a webhook."""
        told = given(url=url, events=events, is_active=is_active, description=description, headers=headers)
        sent = given(retry_count=retry_count, durable=durable, timeout_seconds=timeout_seconds, secret=secret)
        return WebhookPayload(webhook=Webhook.of(service.create(loaded(_NEW, {**told, **sent}))))

    @strawberry.mutation(metadata=_SCOPE)
    def update_webhook(
        self,
        webhook_id: ID,
        url: str | None = UNSET,
        events: list[str] | None = UNSET,
        is_active: bool | None = UNSET,
        description: str | None = UNSET,
        headers: Json | None = UNSET,
        retry_count: int | None = UNSET,
        durable: bool | None = UNSET,
        timeout_seconds: int | None = UNSET,
        secret: str | None = UNSET,
    ) -> WebhookPayload:
        """Change the given fields of a webhook."""
        told = given(url=url, events=events, is_active=is_active, description=description, headers=headers)
        sent = given(retry_count=retry_count, durable=durable, timeout_seconds=timeout_seconds, secret=secret)
        changes = loaded(_CHANGES, {**told, **sent})
        return WebhookPayload(webhook=Webhook.of(service.update(identity(webhook_id), changes)))

    @strawberry.mutation(metadata=_SCOPE)
    def delete_webhook(self, webhook_id: ID) -> Done:
        """Delete a webhook."""
        service.delete(identity(webhook_id))
        return Done(success=True, message=f"Webhook {webhook_id} deleted")

    @strawberry.mutation(metadata=_SCOPE)
    def test_webhook(self, webhook_id: ID, event: str | None = UNSET, payload: Json | None = UNSET) -> WebhookTest:
        """Send a test at once and once; the answer says how it went."""
        asked = loaded(_TEST, wanted(event=event, payload=payload))
        return WebhookTest.of(service.test(identity(webhook_id), asked["event"], asked["payload"]))


def _text(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
