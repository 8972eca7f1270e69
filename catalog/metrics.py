"""What is counted, in Prometheus' format.

gunicorn's processes count into files in `PROMETHEUS_MULTIPROC_DIR` (gunicorn.conf.py sets it), which
/metrics adds up, so that any process answers for all; without it a process counts for itself.
"""

import functools
import os
import time
from pathlib import Path

from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_reads = Counter("catalog_cache_reads_total", "Reads through the cache, by what became of them", ["outcome"])
cache_reads = {outcome: _reads.labels(outcome) for outcome in ("HIT", "MISS", "BYPASS")}
cache_fills_refused = Counter("catalog_cache_fills_refused_total", "Loaded values that came too late to be kept")
cache_invalidations = Counter("catalog_cache_invalidations_total", "Names that writes made the cache forget")
cache_invalidations_lost = Counter(
    "catalog_cache_invalidations_lost_total", "Writes whose invalidation did not reach the cache and became a row"
)

_replica_reads = Counter(
    "catalog_replica_reads_total",
    "Lists, searches and exports, by who answered: the replica, or why the primary did",
    ["by"],
)
replica_reads = {
    by: _replica_reads.labels(by) for by in ("replica", "latest_asked_for", "own_write", "behind", "unknown", "failed")
}
replica_lag = Gauge(
    "catalog_replica_lag_seconds", "How old at most what the replica shows is", multiprocess_mode="mostrecent"
)

_requests = Counter("catalog_http_requests_total", "Requests answered", ["method", "route", "status"])
_seconds = Histogram("catalog_http_request_seconds", "Time to answer", ["method", "route"], buckets=_BUCKETS)


@functools.lru_cache(maxsize=4096)
def _counter(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, status)


@functools.lru_cache(maxsize=1024)
def _histogram(method: str, route: str) -> Histogram:
    return _seconds.labels(method, route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. `route` is the rule that matched, never the path: paths have no end."""
    method = method if method in _METHODS else "OTHER"
    _counter(method, route, status).inc()
    _histogram(method, route).observe(seconds)


def register(app: Flask) -> None:
    """Count every request that Flask answers; catalog.hotpath counts its own."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.counted_from = time.perf_counter()


def _end(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "(none)"
    seconds = time.perf_counter() - g.get("counted_from", time.perf_counter())
    count_request(request.method, route, response.status_code, seconds)
    return response


def cache_reads_so_far() -> dict[str, int]:
    """Return how many reads through the cache ended how, of all processes of this server since it started."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    files = [str(path) for path in Path(folder).glob("counter_*.db")] if folder else []
    found = MultiProcessCollector.merge(files) if files else _reads.collect()  # type: ignore[no-untyped-call]
    samples = [sample for metric in found for sample in metric.samples if sample.name == "catalog_cache_reads_total"]
    return {sample.labels["outcome"]: int(sample.value) for sample in samples}


def render(gauges: Collector) -> tuple[bytes, str]:
    """Return everything counted, of all processes of this server, with these gauges, and its content type."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(gauges)
    return generate_latest(registry), CONTENT_TYPE_LATEST
