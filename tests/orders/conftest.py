"""Orders of one test, and FakeStore as a local server."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from catalog import jobqueue
from catalog.circuit_breaker import CircuitBreaker
from catalog.database import transaction
from catalog.orders import bell, service
from catalog.orders import fakestore as client_of_fakestore
from catalog.orders.schemas import OrderSubmitSchema
from tests.jobs.conftest import forget_all_jobs
from tests.orders.fakestore import FakeStore

SUBMITTED_AT = "2026-01-05T10:00:00Z"


def body(order_id: int = 123, *skus: str, **fields: Any) -> dict[str, Any]:
    """Return a valid order as a client writes it, of one item or of one for each SKU."""
    items = [{"sku": sku, "quantity": 3, "unit_price": 10} for sku in skus or ["P001"]]
    return {"id": order_id, "customer": "ACME Corp", "items": items, "submitted_at": SUBMITTED_AT, **fields}


def content(*args: Any, **fields: Any) -> dict[str, Any]:
    """Return an order as the schema loads it."""
    return OrderSubmitSchema().load(body(*args, **fields))


@pytest.fixture(autouse=True)
def quiet(app, monkeypatch) -> Iterator[None]:
    """No jobs and no bell from another test, no answers that another test's FakeStore gave, a closed breaker."""
    breaker = CircuitBreaker(client_of_fakestore.FAILURES, client_of_fakestore.BREAK_SECONDS)
    monkeypatch.setattr(client_of_fakestore, "_breaker", breaker)
    _forget(app)
    yield
    _forget(app)


def _forget(app: Flask) -> None:
    with app.app_context():
        forget_all_jobs()
        jobqueue.hear(bell.JOB)
    cache = jobqueue.client(app.config["CACHE_REDIS_URL"])
    for key in cache.scan_iter("*fakestore*", count=10_000):
        cache.delete(key)


@pytest.fixture
def store(app, monkeypatch) -> Iterator[FakeStore]:
    """FakeStore, which the application asks."""
    with FakeStore() as server:
        monkeypatch.setitem(app.config, "FAKESTORE_URL", server.url)
        monkeypatch.setitem(app.config, "FAKESTORE_TIMEOUT_SECONDS", 0.5)
        yield server


@pytest.fixture
def processed(context):
    """Submit an order, process what is due, and return the order."""

    def run(*args: Any, **fields: Any) -> Any:
        order = service.submit(content(*args, **fields))
        service.process()
        return service.get(order.id)

    return run


@pytest.fixture
def rows(committed):
    """Run a query, or a change, on committed data and return its rows as mappings."""

    def run(statement: str, **values: Any) -> list[dict[str, Any]]:
        with committed.app_context(), transaction() as session:
            result = session.execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []  # type: ignore[attr-defined]

    return run


def events(session: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return what webhooks were told, in order."""
    return [tuple(row) for row in session.execute(text("SELECT name, data FROM webhook_events ORDER BY id"))]
