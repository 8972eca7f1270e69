"""Webhooks as the console shows them: with their last day as a row of bars, and with a secret from the start."""

import uuid
from typing import Any

from catalog.database import transaction
from catalog.webhooks import service as webhooks

BAR = 20.0  # the height of a full bar


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
