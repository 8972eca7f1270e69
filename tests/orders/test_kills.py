"""Whatever kills a processor or a consumer, and wherever: each order is kept and processed once, with its total."""

import signal
from collections.abc import Callable

import pytest
import redis

from catalog.orders import service
from catalog.orders.redislist import RedisList
from catalog.products import service as products
from tests.factories import make_product
from tests.killing import exit_code, fork
from tests.orders import killed
from tests.orders.conftest import content
from tests.orders.test_redislist import consumer_thread, forget, kept, written
from tests.processes import wait_for

pytestmark = pytest.mark.processes
ORDERS = 20


@pytest.fixture
def run_killed(environment):
    """Run a processor or a consumer in a process of its own that kills itself, and wait for its end."""

    def run(work: Callable[[str, int], None], where: str, nth: int) -> None:
        settings = {
            "ORDER_RESERVE_STOCK": "true",
            "ORDER_QUEUE_REDIS_URL": environment["REDIS_URL"],
            "LOG_LEVEL": "ERROR",
        }
        assert exit_code(fork({**environment, **settings}, work, where, nth)) == -signal.SIGKILL

    return run


@pytest.mark.parametrize(
    ("where", "nth"),
    [
        ("enrichment.look_up", 1),
        ("enrichment.look_up", 2),
        ("processing._Batch._settle", 1),
        ("processing._Batch._settle", 3),
        ("processing._tell", 1),
        ("processing._tell", 2),
        ("processing._rows", 2),
        ("processing._rows", 3),
    ],
)
def test_orders_whose_processor_is_killed_anywhere_are_processed_once(
    committed, app, rows, run_killed, monkeypatch, where, nth
):
    monkeypatch.setitem(app.config, "ORDER_RESERVE_STOCK", True)
    with committed.app_context():
        make_product(sku="P001", stock_quantity=1_000)
        for order_id in range(1, ORDERS + 1):
            service.submit(content(order_id))
        run_killed(killed.process, where, nth)
        rows("UPDATE orders SET due_at = now() WHERE status = 'processing'")  # what fifteen seconds do
        service.process()
        assert service.page({"limit": 1, "offset": 0, "status": "processed"})["total"] == ORDERS
        assert products.get_by_sku("P001").stock_quantity == 1_000 - 3 * ORDERS
    assert rows("SELECT DISTINCT total FROM orders") == [{"total": 30}]
    told = rows("SELECT data->>'id' AS id, count(*) FROM webhook_events WHERE name = 'order.processed' GROUP BY 1")
    assert [row["count"] for row in told] == [1] * ORDERS


@pytest.mark.parametrize(
    ("where", "nth"),
    [
        ("redislist.RedisList.take", 2),
        ("service.submit_many", 1),
        ("service.submit_many", 2),
        ("intake._insert", 2),
        ("intake.after_commit", 2),
        ("bell.ring", 2),
        ("redislist.RedisList.done", 1),
        ("redislist.RedisList.done", 2),
    ],
)
def test_orders_whose_consumer_is_killed_anywhere_are_kept_once(committed, environment, rows, run_killed, where, nth):
    connection = redis.Redis.from_url(environment["REDIS_URL"])
    forget(connection)
    queue = RedisList(connection, "orderflow:orders")
    queue.push([written(order_id) for order_id in range(1, ORDERS + 1)] + [b"unreadable"])
    run_killed(killed.consume, where, nth)
    for key in connection.scan_iter("orderflow:orders:alive:*"):  # what five seconds without a beat do
        connection.delete(key)
    with consumer_thread(committed, queue):
        wait_for(lambda: queue.waiting() == 0)
    assert sorted(kept(rows)) == list(range(1, ORDERS + 1))
    assert [each.order for each in queue.dead()] == [b"unreadable"]
    forget(connection)
