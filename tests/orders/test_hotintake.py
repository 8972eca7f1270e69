"""Intake as gunicorn serves it: the hot path answers as Flask does, and leaves to Flask what it does not know."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from catalog import jobqueue
from catalog.audit import service as audit
from catalog.orders import intake
from tests.orders.conftest import body, content
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes
PATH = "/api/v1/orders"
CUT_THE_HOT_CONNECTION = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'EXECUTE take_in%'"""


@pytest.fixture(scope="module")
def server(environment):
    with served(environment, workers=2) as address:
        yield address


@pytest.fixture
def url(committed, server):
    return server + PATH


def by_flask(url, order, **options):
    """A slash at the end is nothing to clients, but the hot path leaves it to Flask."""
    return requests.post(f"{url}/", json=order, timeout=10, **options)


def test_the_answer_is_the_one_that_flask_gives(url):
    items = [{"sku": " Ä1 ", "quantity": 3, "unit_price": 0.1}, {"sku": "b", "quantity": 1, "unit_price": 10}]
    order = body(7, customer='Café "Ω"', items=items, submitted_at="2026-01-05T11:00:00.5+01:00")
    hot, slow = requests.post(url, json=order, timeout=10), by_flask(url, order)
    assert (hot.status_code, slow.status_code) == (202, 202)
    assert hot.content == slow.content == requests.get(f"{url}/7", timeout=10).content
    assert list(hot.json()) == list(slow.json())
    for name in ("Content-Type", "Location"):
        assert hot.headers[name] == slow.headers[name]
    assert requests.post(url, json=order, timeout=10).content == slow.content
    assert (
        requests.post(url, json=body(8), headers={"X-Request-ID": "mine"}, timeout=10).headers["X-Request-ID"] == "mine"
    )


@pytest.mark.parametrize("order", [{"id": 7}, [], body(7, customer=" "), body(7, items=[]), body(7, unknown=1)])
def test_what_breaks_a_rule_is_refused_as_by_flask(url, order):
    hot, slow = requests.post(url, json=order, timeout=10).json(), by_flask(url, order).json()
    assert hot["status"] == 400
    assert {**hot, "request_id": 0, "instance": 0} == {**slow, "request_id": 0, "instance": 0}


def test_orders_of_the_same_id_at_the_same_time_are_one_and_the_others_are_told(url, rows):
    def post(number):
        return requests.post(url, json=body(7, customer=f"Customer {number % 2}"), timeout=20).status_code

    with ThreadPoolExecutor(16) as clients:
        statuses = list(clients.map(post, range(32)))
    assert sorted(statuses) == [202] * 16 + [409] * 16
    assert len(rows("SELECT FROM orders")) == 1


def test_every_order_that_was_answered_is_kept_and_rung_for(url, rows, app):
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda number: requests.post(url, json=body(number), timeout=20), range(1, 201)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {row["id"] for row in rows("SELECT id FROM orders")}
    with app.app_context():
        assert wait_for(lambda: jobqueue.queue("orders").count) <= 2


def test_a_connection_that_is_cut_costs_nobody_an_order(url, rows):
    for number in range(1, 6):
        assert requests.post(url, json=body(number), timeout=10).status_code == 202
        rows(CUT_THE_HOT_CONNECTION)
    assert len(rows("SELECT FROM orders")) == 5


def test_a_body_that_ends_early_is_refused(url, rows):
    host, port = url.removeprefix("http://").partition("/")[0].split(":")
    whole = json.dumps(body(7)).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(whole) + 9}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + whole)
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").readline().split()[1] == b"400"
    assert rows("SELECT FROM orders") == []


def test_an_order_that_cannot_be_written_fails_alone(context, monkeypatch):
    real = intake.take_in

    def take_in(asked):
        if any(each.content["id"] == 2 for each in asked):
            raise RuntimeError("a fault of ours")
        return real(asked)

    monkeypatch.setattr(intake, "take_in", take_in)
    outcomes = intake.take_in_each([intake.Asked(content(order_id), audit.who()) for order_id in (1, 2, 3)])
    assert [getattr(outcome, "id", None) for outcome in outcomes] == [1, None, 3]
