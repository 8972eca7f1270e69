"""What waits just now, and how the servers are: the gauges that are read when /metrics is asked for."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from catalog.extensions import db
from catalog.health import service

# What waits although somebody could do it now: how many, and since when the oldest. An order or a delivery that waits
# for its next try is not late; `retries` are the deliveries whose receiver has refused them before.
_WAITING = text("""
    SELECT 'deliveries' AS kind, count(*), min(due_at) AS since FROM webhook_deliveries
        WHERE status = 'pending' AND due_at <= now()
    UNION ALL SELECT 'retries', count(*), min(queued_at) FROM webhook_deliveries
        WHERE status = 'pending' AND attempts > 0
    UNION ALL SELECT 'orders', count(*), min(due_at) FROM orders WHERE due_at <= now()
    UNION ALL SELECT 'writes', count(*), min(due_at) FROM product_writes WHERE state = 'queued' AND due_at <= now()
    UNION ALL SELECT 'imports', count(*), min(created_at) FROM imports WHERE state IN ('pending', 'running')
    UNION ALL SELECT 'invalidations', count(*), min(created_at) FROM cache_invalidations WHERE state <> 'fenced'
""")
_SELECT = text(f"SELECT kind, count, extract(epoch FROM now() - since) AS seconds FROM ({_WAITING}) AS found")


class Gauges(Collector):
    """A collector of Prometheus; without PostgreSQL it tells that it is away, and nothing of what waits there."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they are just now."""
        report = service.readiness()
        yield _gauge("dependency_up", "Whether it answers", "dependency", _up(report["dependencies"]))
        beats = {name: age for name, age in (report["last_beat_seconds"] or {}).items() if age is not None}
        yield _gauge("last_beat_seconds", "Seconds since its last beat", "process", beats)
        waiting = _waiting() if report["dependencies"]["database"]["status"] == "ok" else {}
        yield _gauge("backlog", "What waits to be done", "kind", {kind: count for kind, (count, _) in waiting.items()})
        ages = {kind: seconds for kind, (_, seconds) in waiting.items()}
        yield _gauge("backlog_oldest_seconds", "Seconds that the oldest of it has waited", "kind", ages)


def _up(dependencies: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {name: float(one["status"] == "ok") for name, one in dependencies.items()}


def _waiting() -> dict[str, tuple[int, float]]:
    try:
        rows = db.session.execute(_SELECT).all()
    except SQLAlchemyError:
        return {}
    finally:
        db.session.rollback()
    return {kind: (count, float(seconds or 0)) for kind, count, seconds in rows}


def _gauge(name: str, meaning: str, label: str, values: dict[str, float]) -> Metric:
    gauge = GaugeMetricFamily(f"catalog_{name}", meaning, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge
