"""What happened hour by hour, from the events and the attempts: ended hours are counted once and then cached."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from catalog.cache import Copy, cached
from catalog.extensions import db

HOUR = timedelta(hours=1)
HOURS = 24
SETTLED = timedelta(minutes=1)  # after its end an hour's last transactions are committed
WAITING_COUNTED_TO = 10_000
_CURRENT_TTL, _ENDED_TTL = 4.0, 25 * 3600.0

_ATTEMPTS = text("""
    SELECT webhook_id, count(*) FILTER (WHERE error IS NULL) AS delivered, count(error) AS failed,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time_ms) AS p95
    FROM webhook_attempts WHERE id >= :first AND id < :last GROUP BY GROUPING SETS ((webhook_id), ())
""")
_EVENTS = text("""
    SELECT name, count(*) AS number FROM webhook_events
    WHERE id >= :first AND id < :last AND NOT is_test GROUP BY name
""")
_NOW = text(f"""
    SELECT (SELECT count(*) FROM (
            SELECT 1 FROM webhook_deliveries WHERE status = 'pending' LIMIT {WAITING_COUNTED_TO + 1}
        ) AS counted) AS waiting,
        count(*) AS webhooks, count(*) FILTER (WHERE is_active) AS active,
        count(*) FILTER (WHERE failing_since IS NOT NULL OR NOT is_active) AS failing
    FROM webhooks
""")


def last_day(now: datetime | None = None) -> list[dict[str, Any]]:
    """Return the last 24 hours, the present one last.

    Each is {"hour", "events": {name: number}, "all": figures, "webhooks": {id: figures}}, with figures
    {"delivered", "failed", "p50", "p95"}: attempts, and milliseconds or None.
    """
    now = now or datetime.now(UTC)
    present = now.replace(minute=0, second=0, microsecond=0)
    hours = [present - HOUR * back for back in reversed(range(HOURS))]
    last_is_over = now > present + SETTLED  # the hour that has just ended, that is
    ended = hours[: -1 if last_is_over else -2]
    found = [*_read(_ended(ended[0].isoformat(), len(ended)))]
    found += [_read(_current(hour.isoformat())) for hour in hours[len(ended) :]]
    return [{"hour": hour, **counted} for hour, counted in zip(hours, found, strict=True)]


def figures() -> dict[str, int]:
    """Return how many deliveries wait (10,001 for more), and how many webhooks there are, active, and in trouble."""
    return dict(db.session.execute(_NOW).mappings().one())


def _read(copy: Copy) -> Any:
    return json.loads(copy.body)


@cached("activity:{first}:{number}", ttl=_ENDED_TTL)
def _ended(first: str, number: int) -> Any:
    """All ended hours of a day as one entry, so that a page asks the cache once; each hour is counted once too."""
    start = datetime.fromisoformat(first)
    return [_read(_one_ended((start + HOUR * place).isoformat())) for place in range(number)]


@cached("activity-hour:{hour}", ttl=_ENDED_TTL)
def _one_ended(hour: str) -> Any:
    return _counted(hour)


@cached("activity-now:{hour}", ttl=_CURRENT_TTL)
def _current(hour: str) -> Any:
    return _counted(hour)


def _counted(hour: str) -> dict[str, Any]:
    start = datetime.fromisoformat(hour)
    between = {"first": first_id(start), "last": first_id(start + HOUR)}
    rows = [dict(row) for row in db.session.execute(_ATTEMPTS, between).mappings()]
    by_webhook = {str(row.pop("webhook_id")): row for row in rows}
    events = {row.name: row.number for row in db.session.execute(_EVENTS, between)}
    return {"events": events, "all": by_webhook.pop("None", None), "webhooks": by_webhook}


def first_id(moment: datetime) -> uuid.UUID:
    """Return an id before all of those (UUIDv7) that are made from this moment on."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
