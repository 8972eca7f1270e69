"""The webhooks page: who is told, how that went, and sending it again."""

import uuid
from typing import Any

from flask import Response, request, url_for
from werkzeug import Response as Answer

from catalog.console import hooks, pages
from catalog.console import schemas as console_schemas
from catalog.webhooks import history, history_schemas, replay, schemas, service
from catalog.webhooks.events import EVENTS, SUBSCRIPTIONS

blueprint = pages.blueprint("webhooks", __name__)


@blueprint.get("")
@blueprint.arguments(schemas.PageQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List webhooks with their health."""
    return pages.show("webhooks.html", section="webhooks", page=hooks.page(query["limit"], query["offset"]))


@blueprint.get("/new")
def new() -> Response:
    """Show the form of a new webhook."""
    return pages.show("_webhook_new.html", subscriptions=SUBSCRIPTIONS)


@blueprint.post("")
@blueprint.arguments(schemas.WebhookCreateSchema)
def create(fields: dict[str, Any]) -> Response:
    """Add a webhook, and show its secret this once."""
    return pages.show("_webhook_secret.html", **hooks.create(fields), new=True, events=EVENTS)


@blueprint.get("/<uuid:webhook_id>")
def show(webhook_id: uuid.UUID) -> Response:
    """Show a webhook."""
    return pages.show(
        "webhook.html",
        section="webhooks",
        webhook=service.get(webhook_id),
        health=hooks.health(webhook_id),
        events=EVENTS,
        subscriptions=SUBSCRIPTIONS,
    )


@blueprint.post("/<uuid:webhook_id>")
@blueprint.arguments(schemas.WebhookChangeSchema)
def change(changes: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Change a webhook."""
    service.update(webhook_id, changes)
    return pages.say(Response(status=204), "The webhook is saved.")


@blueprint.post("/<uuid:webhook_id>/delete")
def delete(webhook_id: uuid.UUID) -> Answer:
    """Remove a webhook."""
    service.delete(webhook_id)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.post("/<uuid:webhook_id>/test")
@blueprint.arguments(schemas.TestSchema)
def test(fields: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Send a test, and show how it went."""
    return pages.show("_webhook_tested.html", result=service.test(webhook_id, fields["event"], fields["payload"]))


@blueprint.post("/<uuid:webhook_id>/rotate")
def rotate(webhook_id: uuid.UUID) -> Response:
    """Make up another secret, and show it this once."""
    return pages.show("_webhook_secret.html", **service.rotate_secret(webhook_id), new=False, events=EVENTS)


@blueprint.get("/deliveries")
@blueprint.arguments(console_schemas.DeliveriesSchema, location="query")
def all_deliveries(query: dict[str, Any]) -> Response:
    """List what was to be told to anybody."""
    page, given = history.all_deliveries(query), request.args.to_dict()
    return pages.show(
        "deliveries.html",
        part="_deliveries.html",
        section="webhooks",
        page=page,
        given=given,
        address=".all_deliveries",
        webhooks=hooks.every(),
        events=EVENTS,
    )


@blueprint.get("/<uuid:webhook_id>/deliveries")
@blueprint.arguments(history_schemas.DeliveryQuerySchema, location="query")
def deliveries(query: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """List what one webhook was to be told, and how far that is."""
    page, given = history.deliveries(webhook_id, query), {**request.args.to_dict(), "webhook_id": webhook_id}
    return pages.show("_deliveries.html", page=page, given=given, address=".deliveries")


@blueprint.get("/deliveries/<uuid:delivery_id>/attempts")
def attempts(delivery_id: uuid.UUID) -> Response:
    """Show a delivery's life: each attempt."""
    return pages.show("_attempts.html", **hooks.attempts(delivery_id))


@blueprint.post("/deliveries/<uuid:delivery_id>/retry")
def retry(delivery_id: uuid.UUID) -> Response:
    """Try a delivery again now."""
    delivery = history.retry(delivery_id)
    return pages.show("_delivery.html", delivery=delivery, notice="It is sent again now.")


@blueprint.get("/<uuid:webhook_id>/replay")
@blueprint.arguments(history_schemas.DeliveryQuerySchema, location="query")
def ask_for_replay(query: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Ask whether what the filters let through is to be sent again."""
    return pages.show("_replay_ask.html", **hooks.replay_of(webhook_id, query))


@blueprint.post("/<uuid:webhook_id>/replay")
@blueprint.arguments(history_schemas.ReplaySchema)
def replay_events(filters: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Send past events again."""
    return pages.show("_replay.html", replay=replay.request(webhook_id, filters))


@blueprint.get("/replays/<uuid:replay_id>")
def show_replay(replay_id: uuid.UUID) -> Response:
    """Show how far a replay is."""
    return pages.show("_replay.html", replay=replay.status(replay_id))
