"""What a request waits for in PostgreSQL ends: locks, statements, connections. Over real HTTP."""

import contextlib
import threading
import time

import psycopg2
import pytest
import requests
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from catalog import database
from catalog.errors import as_catalog_error
from catalog.products import service
from tests.conftest import empty_tables
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes

PRODUCTS = "/api/v1/products"
BOUNDS = {"lock_timeout": "3s", "idle_in_transaction_session_timeout": "1min"}


@pytest.fixture(scope="module")
def address(app, environment):
    """A server with one connection, and short patience."""
    settings = {
        "DATABASE_POOL_SIZE": "1",
        "DATABASE_POOL_OVERFLOW": "0",
        "DATABASE_LOCK_TIMEOUT_SECONDS": "3",
        "DATABASE_STATEMENT_TIMEOUT_SECONDS": "4",
    }
    with served({**environment, **settings}) as url:
        yield url
    empty_tables(app)


@pytest.fixture
def product(app) -> str:
    with app.app_context():
        return str(service.create({"name": "Lamp"}).id)


@pytest.fixture
def other(environment):
    """Another connection, which may hold locks; it lets go at the end."""
    connection = psycopg2.connect(environment["DATABASE_URL"].replace("+psycopg2", ""))
    with contextlib.closing(connection):
        yield connection


def hold(connection, product):
    connection.cursor().execute("SELECT FROM products WHERE id = %s FOR UPDATE", (product,))


def change(address, product):
    return requests.put(f"{address}{PRODUCTS}/{product}", json={"stock_quantity": 5}, timeout=20)


def test_a_lock_that_another_holds_is_waited_for_so_long_and_then_503(address, product, other):
    hold(other, product)
    began = time.monotonic()
    refused = change(address, product)
    assert time.monotonic() - began > 2.5  # and less than a statement may take, whose end says something else
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert "holds what this one needs" in refused.json()["detail"]
    other.rollback()
    assert change(address, product).status_code == 200


def test_a_statement_that_takes_too_long_is_503(address, other):
    other.cursor().execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
    other.cursor().execute("SET statement_timeout = 0")
    refused = requests.get(f"{address}{PRODUCTS}?name=x", timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")


def test_with_all_connections_held_the_answer_is_503_within_about_a_second(address, product, other):
    hold(other, product)
    blocked = threading.Thread(target=change, args=(address, product))
    blocked.start()
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    watcher = psycopg2.connect(other.dsn.replace("xxx", ""))
    watcher.autocommit = True
    with contextlib.closing(watcher), watcher.cursor() as cursor:

        def is_waiting():
            cursor.execute(waits)
            return cursor.fetchone()[0]

        wait_for(is_waiting, 5)
    began = time.monotonic()
    refused = requests.get(f"{address}{PRODUCTS}", timeout=20)
    seconds = time.monotonic() - began
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert 0.9 < seconds < 3  # less than what it would wait for the connection that is held
    assert requests.get(f"{address}/health/live", timeout=1).ok
    other.rollback()
    blocked.join()
    assert requests.get(f"{address}{PRODUCTS}", timeout=5).ok


def test_a_transaction_in_which_nothing_happens_is_ended_by_postgresql(environment):
    engine = create_engine(environment["DATABASE_URL"])
    database.bound_waits(engine, 3)
    with contextlib.closing(engine.connect()) as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in BOUNDS}
    engine.dispose()
    assert found == BOUNDS


def test_two_that_wait_for_each_other_are_not_told_that_something_broke():
    class Deadlock(Exception):
        pgcode = "40P01"

    told = as_catalog_error(OperationalError("UPDATE", {}, Deadlock()))
    assert (told.status, told.code, told.headers["Retry-After"]) == (503, "busy", "5")
