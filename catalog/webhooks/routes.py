"""REST over webhooks."""

import uuid
from typing import Any

from flask import url_for

from catalog.http import Blueprint
from catalog.openapi import LOCATION
from catalog.webhooks import history, history_schemas, replay, schemas, service

blueprint = Blueprint(
    "webhooks", __name__, url_prefix="/api/v1/webhooks", description="Who is told of changes.", scope="webhooks"
)


@blueprint.get("")
@blueprint.arguments(schemas.PageQuerySchema, location="query")
@blueprint.response(200, schemas.WebhookPageSchema)
def list_webhooks(query: dict[str, Any]) -> Any:
    """List webhooks

    The oldest first, in pages by `offset`.
    """
    return service.page(query["limit"], query["offset"])


@blueprint.post("")
@blueprint.arguments(schemas.WebhookCreateSchema)
@blueprint.once()
@blueprint.response(201, schemas.WebhookSchema, headers=LOCATION)
@blueprint.problem(409, "This key has as many as it may have")
def create_webhook(fields: dict[str, Any]) -> Any:
    """Create a webhook

    It is told of each event of the given kinds from now on. The secret signs what is sent and is never shown.
    """
    webhook = service.create(fields)
    return webhook, 201, {"Location": url_for("webhooks.get_webhook", webhook_id=webhook.id)}


@blueprint.get("/stats")
@blueprint.response(200, history_schemas.WebhooksStatsSchema)
def get_stats() -> Any:
    """Figures of the last day

    Success rate in percent, median and 95th percentile of the response times, for each webhook.
    """
    return history.stats()


@blueprint.get("/<uuid:webhook_id>")
@blueprint.response(200, schemas.WebhookSchema)
@blueprint.problem(404, "No such webhook")
def get_webhook(webhook_id: uuid.UUID) -> Any:
    """Read a webhook

    With how its deliveries went so far.
    """
    return service.get(webhook_id)


@blueprint.put("/<uuid:webhook_id>")
@blueprint.arguments(schemas.WebhookChangeSchema)
@blueprint.response(200, schemas.WebhookSchema)
@blueprint.problem(404, "No such webhook")
def put_webhook(changes: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """Change a webhook

    Only the given fields change.
    """
    return service.update(webhook_id, changes)


@blueprint.delete("/<uuid:webhook_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such webhook")
def delete_webhook(webhook_id: uuid.UUID) -> None:
    """Delete a webhook

    With its deliveries and its log; nothing more is sent to it.
    """
    service.delete(webhook_id)


@blueprint.post("/<uuid:webhook_id>/test")
@blueprint.arguments(schemas.TestSchema, required=False)
@blueprint.response(200, schemas.TestResultSchema)
@blueprint.problem(404, "No such webhook")
@blueprint.problem(503, "Too many tests are running")
def test_webhook(fields: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """Send a test

    At once and once; the answer says how it went. It waits for the webhook's timeout, but never more than 10 seconds.
    """
    return service.test(webhook_id, fields["event"], fields["payload"])


@blueprint.get("/<uuid:webhook_id>/logs")
@blueprint.arguments(history_schemas.LogQuerySchema, location="query")
@blueprint.response(200, history_schemas.LogPageSchema)
@blueprint.problem(404, "No such webhook")
def list_logs(query: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """List attempts, the newest first

    What was sent, what came back and how long it took.
    """
    return history.logs(webhook_id, query)


@blueprint.get("/<uuid:webhook_id>/deliveries")
@blueprint.arguments(history_schemas.DeliveryQuerySchema, location="query")
@blueprint.response(200, history_schemas.DeliveryPageSchema)
@blueprint.problem(404, "No such webhook")
def list_deliveries(query: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """List deliveries, the newest first

    Each event that the webhook is to be told of, and how far that is.
    """
    return history.deliveries(webhook_id, query)


@blueprint.post("/deliveries/<uuid:delivery_id>/retry")
@blueprint.once()
@blueprint.response(202, history_schemas.DeliverySchema)
@blueprint.problem(404, "No such delivery")
@blueprint.problem(409, "Nothing can be sent")
def retry_delivery(delivery_id: uuid.UUID) -> Any:
    """Try a delivery again now

    Whatever its next attempt was planned for; also one that was given up.
    """
    return history.retry(delivery_id)


@blueprint.post("/<uuid:webhook_id>/replay")
@blueprint.arguments(history_schemas.ReplaySchema)
@blueprint.once()
@blueprint.response(202, history_schemas.SubmittedReplaySchema, headers=LOCATION)
@blueprint.problem(404, "No such webhook")
@blueprint.problem(409, "The webhook is switched off")
def replay_webhook(filters: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """Send past events again

    In the background, with the ids they had. Without `status` also what the webhook was never sent.
    """
    asked = replay.request(webhook_id, filters)
    location = url_for("webhooks.get_replay", replay_id=asked.id)
    return {"task_id": asked.id, "status": "submitted", "message": "Replay submitted"}, 202, {"Location": location}


@blueprint.get("/replays/<uuid:replay_id>")
@blueprint.response(200, history_schemas.ReplayStatusSchema)
@blueprint.problem(404, "No such replay")
def get_replay(replay_id: uuid.UUID) -> Any:
    """Watch a replay

    How many events it has queued so far, and whether it has ended.
    """
    return replay.status(replay_id)


@blueprint.post("/<uuid:webhook_id>/rotate-secret")
@blueprint.arguments(schemas.RotateSchema, required=False)
@blueprint.once(is_sealed=True)
@blueprint.response(200, schemas.RotatedSchema)
@blueprint.problem(404, "No such webhook")
def rotate_secret(fields: dict[str, Any], webhook_id: uuid.UUID) -> Any:
    """Change the secret

    For 24 hours the old secret signs too. A secret that is made up is shown in this answer, and never again.
    """
    return service.rotate_secret(webhook_id, fields.get("secret"))
