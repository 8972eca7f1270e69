"""Processors and consumers of orders are killed at random while orders come in: each is kept and processed once.

CATALOG_FAULT_SECONDS and CATALOG_FAULT_ROUNDS make it longer: 10,000 orders and more than a hundred kills.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice

import pytest
import redis
import requests
from sqlalchemy import create_engine, text

from catalog.orders import seeds
from catalog.orders.redislist import RedisList
from tests.faults.service import Process, Service
from tests.orders.fakestore import FakeStore, good, saying
from tests.processes import wait_for

SECONDS = float(os.environ.get("CATALOG_FAULT_SECONDS", "10")) * int(os.environ.get("CATALOG_FAULT_ROUNDS", "1"))
ORDERS = 10_000 if SECONDS > 100 else 1_000
KILLS = min(100, SECONDS)
PAUSE = (0.1, 0.6)
STOCK = 10_000_000
SKUS = [f"CAT-{letter}" for letter in "abcdefghij"] + [f"FAKE-{number}" for number in range(1, 21)]


def unsteady(handler, number):
    """FakeStore takes its time, and fails now and then."""
    time.sleep(0.02)
    (saying(b"", 503) if random.random() < 0.05 else good)(handler, number)


@pytest.fixture
def service(tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    made = Service(folder)
    with FakeStore(unsteady) as store:
        settings = {"FAKESTORE_URL": store.url, "ORDER_RESERVE_STOCK": "true", "CACHE_ENABLED": "false"}
        made.environment |= {**settings, "ORDER_QUEUE_REDIS_URL": made.servers.redis_url}
        for number in (1, 2):
            worker = ("-m", "catalog.cli", "worker", "orders")
            consumer = ("-m", "flask", "--app", "wsgi", "orders", "consume")
            made.processes.append(Process(f"worker-orders-{number}", folder, made.environment, *worker))
            made.processes.append(Process(f"orders-{number}", folder, made.environment, *consumer))
        made.processes = [process for process in made.processes if process.name not in ("webhooks", "worker")]
        try:
            made.start()
            yield made
        finally:
            made.stop()


def expected(order: dict) -> Decimal:
    return sum((item["unit_price"] * item["quantity"] for item in order["items"]), Decimal(0))


def post(url: str, order: dict) -> None:
    """Submit an order as a careful client does: again until there is an answer."""

    def answered() -> bool:
        try:
            body = json.dumps(order, default=float)
            answer = requests.post(url, body, headers={"Content-Type": "application/json"}, timeout=5)
        except requests.RequestException:
            return False
        assert answer.status_code in (202, 503), answer.text
        return answer.status_code == 202

    wait_for(answered, 60)


def test_orders_are_kept_and_processed_once_whoever_is_killed(service):
    chance = random.Random(11)
    for sku in SKUS[:10]:
        product = {"sku": sku, "name": sku, "stock_quantity": STOCK}
        requests.post(f"{service.url}/api/v1/products", json=product, timeout=5).raise_for_status()
    orders = list(seeds.orders(ORDERS, 5, SKUS))
    queue = RedisList(redis.Redis.from_url(service.servers.redis_url), "orderflow:orders")
    killed = strike(service, chance, queue, iter(orders))
    engine = create_engine(service.servers.database_url)

    def rows(statement):
        with engine.connect() as connection:
            return connection.execute(text(statement)).all()

    wait_for(lambda: queue.waiting() == 0, 60)
    wait_for(lambda: rows("SELECT count(*) FROM orders WHERE status = 'processed'")[0][0] == ORDERS, 180)
    totals = dict(rows("SELECT id, total FROM orders"))
    told = dict(rows("SELECT data->>'id', count(*) FROM webhook_events WHERE name = 'order.processed' GROUP BY 1"))
    stocks = dict(rows("SELECT sku, stock_quantity FROM products"))
    attempts = rows("SELECT count(*) FROM orders WHERE attempts > 1")[0][0]
    engine.dispose()
    print(f"{killed} kills, {ORDERS} orders, {attempts} of them tried more than once")
    assert killed >= KILLS
    assert totals == {order["id"]: expected(order) for order in orders}
    assert told == {str(order["id"]): 1 for order in orders}
    sold = dict.fromkeys(SKUS, 0)
    for order in orders:
        for item in order["items"]:
            sold[item["sku"]] += item["quantity"]
    assert stocks == {sku: STOCK - sold[sku] for sku in SKUS[:10]}
    assert queue.dead() == []


def strike(service: Service, chance: random.Random, queue: RedisList, orders: Iterator[dict]) -> int:
    """Kill a processor, a consumer or a web worker at a time, while orders come in both ways; return how many kills."""
    slice_ = max(1, int(ORDERS / (SECONDS / (sum(PAUSE) / 2 + 0.15))) // 2)
    end, kills = time.monotonic() + SECONDS, 0
    victims = [process for process in service.processes if "orders" in process.name]
    with ThreadPoolExecutor(8) as clients:
        while time.monotonic() < end or kills < KILLS:
            feed(service, clients, queue, orders, slice_)
            time.sleep(chance.uniform(*PAUSE))  # the faults' own rhythm, no wait for anything
            if chance.random() < 0.1:
                service._kill_web_worker()
            else:
                service._again(chance.choice(victims))
            kills += 1
            for process in service.processes:
                process.launch()
        feed(service, clients, queue, orders, ORDERS)
    return kills


def feed(service: Service, clients: ThreadPoolExecutor, queue: RedisList, orders: Iterator[dict], count: int) -> None:
    pushed = [json.dumps(order, default=float) for order in islice(orders, count)]
    if pushed:
        queue.push(pushed)
    for order in islice(orders, count):
        clients.submit(post, f"{service.url}/api/v1/orders", order)
