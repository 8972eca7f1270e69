"""Stock keeping: all units of an order or none, never below zero, whoever else is at it."""

import threading
import uuid

import pytest

from catalog.extensions import db
from catalog.orders import service
from catalog.products import service as products
from catalog.products.stock import Shortage, allot
from tests.factories import make_product
from tests.forked import running
from tests.orders.conftest import body, content, events
from tests.processes import served, wait_for

A, B = uuid.uuid4(), uuid.uuid4()


@pytest.fixture(autouse=True)
def reserving(app, monkeypatch):
    monkeypatch.setitem(app.config, "ORDER_RESERVE_STOCK", True)


def test_each_order_gets_all_its_units_in_turn_or_takes_none():
    left, shortages = allot({A: 10, B: 1}, [{A: 4, B: 1}, {A: 5, B: 1}, {A: 6}, {}])
    assert left == {A: 0, B: 0}
    assert shortages == [[], [Shortage(B, 1, 0)], [], []]


def test_an_order_takes_its_units_and_the_product_tells_of_it(client, processed):
    lamp = make_product(sku="P001", stock_quantity=10)
    url = f"/api/v1/products/{lamp.id}"
    assert client.get(url).json["stock_quantity"] == 10
    assert processed(1, "P001", "p001").status == "processed"
    shown = client.get(url).json
    assert (shown["stock_quantity"], shown["version"]) == (4, 2)
    assert shown["updated_at"] > shown["created_at"]
    (told,) = [data for name, data in events(db.session) if name == "product.updated"]
    assert told["changed"] == {"stock_quantity": {"from": 10, "to": 4}}


def test_an_order_that_lacks_one_product_takes_none_of_any(processed):
    lamps, screens = make_product(sku="L", stock_quantity=10), make_product(sku="S", stock_quantity=2)
    order = processed(1, "L", "S")
    assert (order.status, order.error) == ("failed", "Not enough in stock: S (3 wanted, 2 there).")
    assert order.total is None
    assert all("product" not in item for item in order.items)
    assert [products.get(each.id).stock_quantity for each in (lamps, screens)] == [10, 2]
    assert [products.get(each.id).version for each in (lamps, screens)] == [1, 1]


def test_without_the_setting_stock_is_left_alone(processed, app, monkeypatch):
    monkeypatch.setitem(app.config, "ORDER_RESERVE_STOCK", False)
    lamp = make_product(sku="P001", stock_quantity=1)
    assert processed(1, "P001").status == "processed"
    assert products.get(lamp.id).version == 1


def test_processors_that_want_the_same_products_never_deadlock_and_sell_what_there_is(committed):
    with committed.app_context():
        skus = [f"S{number}" for number in range(5)]
        for sku in skus:
            make_product(sku=sku, stock_quantity=150)
        for order_id in range(1, 301):
            turned = skus[order_id % 5 :] + skus[: order_id % 5]
            service.submit(content(order_id, *turned[:3]))
        in_threads(4, lambda: run_in(committed, service.process))
        page = service.page({"limit": 1, "offset": 0, "status": "processed"})
        left = sum(products.get_by_sku(sku).stock_quantity for sku in skus)
        assert page["total"] * 9 == 5 * 150 - left
        assert service.page({"limit": 1, "offset": 0, "status": "failed"})["total"] == 300 - page["total"]
        assert left < 5 * 9


@pytest.mark.processes
def test_of_100_clients_after_37_units_37_get_one(committed, environment):
    settings = {**environment, "ORDER_RESERVE_STOCK": "true", "LOG_LEVEL": "WARNING"}
    with committed.app_context():
        lamp = make_product(sku="LAST", stock_quantity=37).id
    worker = ("catalog.cli", "worker", "orders")
    with served(settings, workers=2) as url, running(settings, *worker), running(settings, *worker):
        import requests

        def buy(number):
            order = body(number + 1, items=[{"sku": "LAST", "quantity": 1, "unit_price": 10}])
            assert requests.post(f"{url}/api/v1/orders", json=order, timeout=60).status_code == 202

        in_threads(100, buy, numbered=True)
        ended = {"queued": 0, "processing": 0}
        wait_for(lambda: counts(url) | ended == counts(url) and counts(url)["total"] == 100)
        assert counts(url) == {"processed": 37, "failed": 63, "queued": 0, "processing": 0, "total": 100}
        assert requests.get(f"{url}/api/v1/products/{lamp}", timeout=5).json()["stock_quantity"] == 0


def counts(url: str) -> dict[str, int]:
    import requests

    def total(**query):
        return requests.get(f"{url}/api/v1/orders", params=query, timeout=5).json()["total"]

    states = ("processed", "failed", "queued", "processing")
    return {**{status: total(status=status) for status in states}, "total": total()}


def run_in(app, call):
    with app.app_context():
        call()


def in_threads(count, call, numbered=False):
    """Call so many times at once; a call that fails fails the test."""
    failures = []

    def guarded(*args):
        try:
            call(*args)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,) if numbered else ()) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
