"""Orders with the processes that users run."""

from types import SimpleNamespace

import pytest
import requests

from catalog import jobqueue
from catalog.config import ROOT
from catalog.orders import bell, service
from catalog.stack.program import programs
from tests.factories import make_product
from tests.forked import running
from tests.orders.conftest import body, content
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes
WORKER = ("catalog.cli", "worker", "orders")
CLOCK = ("catalog.cli", "clock")


def test_an_order_that_is_posted_is_processed_by_a_worker(committed, environment):
    with committed.app_context():
        make_product(sku="P001")
    with served(environment) as url, running(environment, *WORKER):
        assert requests.post(f"{url}/api/v1/orders", json=body(1), timeout=10).status_code == 202
        order = f"{url}/api/v1/orders/1"
        wait_for(lambda: requests.get(order, timeout=10).json()["status"] == "processed")
        assert requests.get(order, timeout=10).json()["total"] == 30


def test_an_order_that_nobody_rang_for_is_found_by_the_clock(committed, environment):
    with committed.app_context():
        make_product(sku="P001")
        service.submit(content(1))
        jobqueue.queue("orders").empty()
        jobqueue.hear(bell.JOB)

    def status():
        with committed.app_context():
            return service.get(1).status

    with running(environment, *WORKER), running(environment, *CLOCK):
        wait_for(lambda: status() == "processed")


def test_a_list_is_consumed_only_where_one_is_set(tmp_path):
    def names(url):
        places = SimpleNamespace(logs=tmp_path)
        settings = {"ORDER_QUEUE_REDIS_URL": url}
        return {
            program.name for program in programs(SimpleNamespace(root=ROOT, places=places, url="", settings=settings))
        }

    assert names("redis://localhost") - names(None) == {"orders"}
    assert "worker-orders" in names(None)
