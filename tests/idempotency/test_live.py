"""Requests that are repeated at the same time, and after a kill, against the running service."""

import os
import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests
from sqlalchemy import text

from catalog.database import transaction
from catalog.extensions import db
from tests.idempotency import killed
from tests.killing import exit_code, fork
from tests.orders.conftest import body as order_body
from tests.processes import free_port, running, served, wait_for

pytestmark = pytest.mark.processes
CLIENTS, KEYS = 20, 50
INSERT_UNSEEN = text("INSERT INTO products (sku, name) VALUES ('LAMP-1', 'Lamp')")
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.fixture(scope="module")
def server(environment):
    """Two processes of the web server."""
    with served(environment, workers=2) as url:
        yield url


@pytest.fixture
def count(committed):
    """Return a function that counts the rows of a table."""

    def read(table):
        with committed.app_context(), transaction() as session:
            return session.scalar(text(f"SELECT count(*) FROM {table}"))

    return read


def until_answered(post):
    """Repeat a request, as its answer says, while another one with its key is at work."""
    answers = []

    def answered():
        answers.append(post())
        if answers[-1].status_code == 409:
            assert answers[-1].headers["Retry-After"] == "1"
            assert answers[-1].json()["code"] == "idempotency_key_in_use"
            return None
        return answers[-1]

    return wait_for(answered)


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/api/v1/orders", lambda number: order_body(number + 1), "orders"),
        ("/api/v1/products", lambda number: {"name": f"Product {number}"}, "products"),
    ],
)
def test_twenty_clients_with_the_same_fifty_keys_at_once_do_fifty_things(server, count, path, body, table):
    def client(seed):
        numbers = random.Random(seed).sample(range(KEYS), KEYS)
        return [(number, until_answered(lambda number=number: post(number))) for number in numbers]

    def post(number):
        headers = {"Idempotency-Key": f"key-{number}"}
        return requests.post(server + path, json=body(number), headers=headers, timeout=30)

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [answer for answered in clients.map(client, range(CLIENTS)) for answer in answered]
    assert len(answers) == CLIENTS * KEYS
    assert {answer.status_code for _, answer in answers} <= {201, 202}
    made = Counter(number for number, answer in answers if "Idempotent-Replayed" not in answer.headers)
    assert made == dict.fromkeys(range(KEYS), 1)
    assert len({(number, answer.content) for number, answer in answers}) == KEYS
    assert count(table) == KEYS


def test_while_one_is_at_work_others_are_409_and_after_its_kill_the_repetition_is_made_once(
    environment, committed, count
):
    port = free_port()
    url, settings = f"http://127.0.0.1:{port}", {**environment, "PORT": str(port), "WEB_WORKERS": "1"}

    def post():
        lamp, headers = {"sku": "LAMP-1", "name": "Desk lamp"}, {"Idempotency-Key": "one"}
        return requests.post(f"{url}/api/v1/products", json=lamp, headers=headers, timeout=30)

    with committed.app_context():
        blocking = db.engine.connect()
    with (
        running(
            {**settings, "CATALOG_ENV_FILE": os.devnull}, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"
        ) as web,
        ThreadPoolExecutor(1) as thread,
    ):
        wait_for(lambda: lives(url))
        blocking.execute(INSERT_UNSEEN)  # the worker's own insert then waits for what becomes of it
        first = thread.submit(post)
        wait_for(lambda: waiting(committed))
        meanwhile = post()
        assert (meanwhile.status_code, meanwhile.headers["Retry-After"]) == (409, "1")
        psutil.Process(web.pid).children()[0].kill()
        assert isinstance(first.exception(30), requests.ConnectionError)
        blocking.close()  # rolls back
        wait_for(lambda: lives(url))
        again = until_answered(post)
        assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (201, None)
        assert post().content == again.content
    assert (count("products"), count("audit_entries")) == (1, 1)


def lives(url):
    try:
        return requests.get(f"{url}/health/live", timeout=2).ok
    except requests.RequestException:
        return False


def waiting(app):
    with app.app_context(), transaction() as session:
        return session.scalar(WAITING)


@pytest.mark.parametrize(
    ("where", "was_made"),
    [
        ("idempotency._find", False),
        ("products.service._insert", False),
        ("audit.service.record_each", False),
        ("idempotency._keep", False),
        ("database._run_callbacks", True),
    ],
)
def test_whatever_is_killed_and_where_the_repetition_finds_all_or_nothing(
    app, environment, committed, count, where, was_made
):
    assert exit_code(fork(environment, killed.post, where, "one")) == -signal.SIGKILL
    assert count("products") == count("idempotency_records") == count("audit_entries") == was_made
    client = app.test_client()

    def post():
        return client.post("/api/v1/products", json=killed.LAMP, headers={"Idempotency-Key": "one"})

    again = wait_for(lambda: (answer := post()).status_code != 409 and answer)
    assert again.status_code == 201
    assert ("Idempotent-Replayed" in again.headers) == was_made
    assert count("products") == 1


def test_an_order_with_a_key_is_taken_in_by_flask_and_once(server, count):
    answers = [
        requests.post(f"{server}/api/v1/orders", json=order_body(7), headers={"Idempotency-Key": "one"}, timeout=30)
        for _ in range(3)
    ]
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    assert len({answer.content for answer in answers}) == 1
    assert count("orders") == 1


def test_the_hot_path_of_orders_keeps_who_asked(server, committed):
    requests.post(f"{server}/api/v1/orders", json=order_body(7), headers={"X-Request-ID": "mine"}, timeout=30)
    with committed.app_context(), transaction() as session:
        found = session.scalar(text("SELECT asked_by FROM orders WHERE id = 7"))
    assert found == {"id": "anonymous", "name": "anonymous", "address": "127.0.0.1", "request_id": "mine"}
