"""The overview: how everything is just now, and the last day hour by hour, gathered from the features' services."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from catalog import cache, metrics
from catalog.cache import cached
from catalog.errors import Unavailable
from catalog.health import service as health
from catalog.imports import service as imports
from catalog.jobs import service as jobs
from catalog.products import service as products
from catalog.webhooks import service as webhooks

WRITES = {"created": "product.created", "updated": "product.updated", "deleted": "product.deleted"}
ROWS = ("created", "updated", "unchanged", "rejected")

T = TypeVar("T")


def figures() -> dict[str, Any]:
    """Return what is so just now: products, imports, deliveries, queues, workers, dependencies, cache."""
    day = webhooks.last_day()
    return {
        "products": {**json.loads(_products().body), "changes": _changes_today(day)},
        "imports": imports.going_on(),
        "last_import": next(iter(imports.latest(1)), None),
        "deliveries": {**webhooks.figures(), **_rates(hour["all"] for hour in day)},
        "queues": _or_none(jobs.all_queues),
        "workers": _or_none(jobs.present_workers),
        "health": health.readiness(),
        "cache": _cache(),
    }


def charts() -> list[dict[str, Any]]:
    """Return the charts of the last day, each with the scope that it is shown to.

    {"name", "title", "unit", "kind", "hours", "series": [{"name", "values"}], "empty", "scope"}
    """
    day, rows = webhooks.last_day(), imports.last_day()
    hours = [hour["hour"] for hour in day]
    imported = [hour["created"] + hour["updated"] for hour in rows]
    writes = {name: [hour["events"].get(event, 0) for hour in day] for name, event in WRITES.items()}
    outcomes = {name: [_of(hour, name) or 0 for hour in day] for name in ("delivered", "failed")}
    latency = {name: [_of(hour, name) for hour in day] for name in ("p50", "p95")}
    counts = {name: [hour[name] for hour in rows] for name in ROWS}
    return [
        _chart("products:read", "writes", "Product writes", "writes", "bar", hours, {**writes, "imported": imported}),
        _chart("imports", "rows", "Imported rows", "rows", "bar", hours, counts),
        _chart("webhooks", "deliveries", "Webhook attempts", "attempts", "bar", hours, outcomes),
        _chart("webhooks", "latency", "Webhook latency", "ms", "line", hours, latency),
    ]


def _chart(
    scope: str, name: str, title: str, unit: str, kind: str, hours: list[datetime], series: dict[str, list[Any]]
) -> dict[str, Any]:
    lines = [{"name": one, "values": values} for one, values in series.items()]
    empty = not any(value for values in series.values() for value in values)
    return {
        **{"name": name, "title": title, "unit": unit, "kind": kind, "series": lines},
        **{"empty": empty, "scope": scope},
        "hours": [hour.isoformat().replace("+00:00", "Z") for hour in hours],
    }


@cached("overview:products", ttl=5.0)
def _products() -> Any:
    """Count exactly as far as a list does; beyond, as the planner estimates."""
    whole = {"sort": "number", "limit": 1}
    everything, active = products.search(whole), products.search({**whole, "active": True})
    return {
        "total": everything.total,
        "active": min(active.total, everything.total),
        "exact": everything.total_exact and active.total_exact,
    }


def _changes_today(day: list[dict[str, Any]]) -> int:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = [hour["events"] for hour in day if hour["hour"] >= midnight]
    single = sum(int(events.get(event, 0)) for events in today for event in WRITES.values())
    return single + sum(int(row["created"] + row["updated"]) for row in imports.last_day() if row["hour"] >= midnight)


def _rates(hours: Iterable[dict[str, Any] | None]) -> dict[str, Any]:
    known = [hour for hour in hours if hour]
    delivered, failed = (sum(hour[name] for hour in known) for name in ("delivered", "failed"))
    attempts = delivered + failed
    return {"attempts": attempts, "rate": round(100 * delivered / attempts, 1) if attempts else None}


def _cache() -> dict[str, Any]:
    reads = metrics.cache_reads_so_far()
    asked = sum(reads.values())
    rate = round(100 * reads.get("HIT", 0) / asked, 1) if asked else None
    return {"reads": asked, "rate": rate, "state": cache.present_state()}


def _of(hour: dict[str, Any], name: str) -> Any:
    value = (hour["all"] or {}).get(name)
    return round(value, 1) if isinstance(value, float) else value


def _or_none(ask: Callable[[], T]) -> T | None:
    """Return None while the queue is away: the page says so, and shows all else."""
    try:
        return ask()
    except Unavailable:
        return None
