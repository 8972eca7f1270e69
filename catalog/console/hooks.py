"""Webhooks as the console shows them: with their last day as a row of bars, and with a secret from the start."""

import uuid
from datetime import UTC, datetime
from typing import Any

from catalog.console import lives
from catalog.database import transaction
from catalog.webhooks import history, replay
from catalog.webhooks import service as webhooks

BAR = 20.0  # the height of a full bar
_FILTERS = ("status", "event", "since", "until")


def page(limit: int, offset: int) -> dict[str, Any]:
    """Return a page of webhooks as `webhooks.service.page()`, its items being {"webhook", "health"}."""
    found, day = webhooks.page(limit, offset), webhooks.last_day()
    return {**found, "items": [{"webhook": one, "health": _health(one.id, day)} for one in found["items"]]}


def health(webhook_id: uuid.UUID) -> dict[str, Any]:
    """Return a webhook's last day: {"attempts", "rate", "p50", "p95", "bars"}; p50 and p95 of its latest hour."""
    return _health(webhook_id, webhooks.last_day())


def create(fields: dict[str, Any]) -> dict[str, Any]:
    """Add a webhook; one without a secret gets one made up. Returns {"webhook", "secret"}, the secret this once.

    Raises ValidationFailed.
    """
    with transaction():
        webhook = webhooks.create(fields)
        secret = None if fields.get("secret") else webhooks.rotate_secret(webhook.id)["secret"]
        return {"webhook": webhook, "secret": secret}


def every() -> list[Any]:
    """Return the webhooks that a list of deliveries can be narrowed to."""
    items: list[Any] = webhooks.page(1_000, 0)["items"]
    return items


def attempts(delivery_id: uuid.UUID) -> dict[str, Any]:
    """Return a delivery's attempts, the latest first, and its life: {"page", "webhook", "life", "may_read"}.

    Raises NotFound.
    """
    delivery = history.delivery(delivery_id)
    page = history.logs(delivery.webhook_id, {"delivery_id": delivery_id, "limit": 100})
    life = lives.of(delivery, page["items"], datetime.now(UTC))
    webhook = webhooks.get(delivery.webhook_id)
    return {"page": page, "webhook": webhook, "life": life, "may_read": webhooks.may_read(delivery.event or "")}


def replay_of(webhook_id: uuid.UUID, query: dict[str, Any]) -> dict[str, Any]:
    """Return what a replay of a filtered list would send: {"webhook", "filters", "waiting", "number", "more"}.

    `waiting` is for deliveries that wait and are sent anyway; `more` tells that there are more than `number`.
    Raises NotFound.
    """
    filters = {name: query[name] for name in _FILTERS if name in query}
    waiting = filters.get("status") == "pending"
    number = 0 if waiting else replay.count(webhook_id, filters)
    most = replay.COUNTED_UP_TO
    counted = {"number": min(number, most), "more": number > most}
    return {"webhook": webhooks.get(webhook_id), "filters": filters, "waiting": waiting, **counted}


def _health(webhook_id: uuid.UUID, day: list[dict[str, Any]]) -> dict[str, Any]:
    nothing = {"delivered": 0, "failed": 0, "p50": None, "p95": None}
    hours = [hour["webhooks"].get(str(webhook_id), nothing) for hour in day]
    delivered, failed = (sum(hour[name] for hour in hours) for name in ("delivered", "failed"))
    most = max((hour["delivered"] + hour["failed"] for hour in hours), default=0)
    latest = next((hour for hour in reversed(hours) if hour["p50"] is not None), nothing)
    attempts = delivered + failed
    return {
        "attempts": attempts,
        "failed": failed,
        "rate": round(100 * delivered / attempts, 1) if attempts else None,
        "p50": latest["p50"],
        "p95": latest["p95"],
        "bars": [_bar(place, hour, most) for place, hour in enumerate(hours)],
    }


def _bar(place: int, hour: dict[str, Any], most: int) -> dict[str, Any]:
    """Return where an hour's bar stands: what failed lies on top of what was delivered."""
    good, bad = (round(BAR * hour[name] / most, 2) if most else 0 for name in ("delivered", "failed"))
    return {"x": place * 4, "good": good, "good_y": BAR - good, "bad": bad, "bad_y": BAR - good - bad}
