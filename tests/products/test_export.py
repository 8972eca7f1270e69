"""Exports as clients see them: filtered like the list, streamed, and gone when the client has gone."""

import contextlib
import csv
import io
import socket

import pytest
import requests
from sqlalchemy import create_engine, text

from catalog import streams
from catalog.extensions import db
from catalog.products import export, service
from tests.processes import served, wait_for

HEADER = "sku,name,description,active,price,stock_quantity,category,image,rating_rate,rating_count"
MANY = 60_000  # far more than what sockets and pipes hold


@pytest.fixture
def catalog(committed):
    """A client, and three products that really are there."""
    with committed.app_context():
        service.create({"sku": "B", "name": "Desk lamp", "price": 5, "category": "Lighting"})
        service.create({"sku": "A", "name": "Chair", "active": False})
        service.create({"sku": "C", "name": "Floor lamp", "price": 20, "category": "Lighting"})
        yield committed.test_client()
        db.session.rollback()


def skus(client, **query: str) -> list[str]:
    with client.get("/api/v1/products/export", query_string=query) as answer:
        assert answer.status_code == 200, answer.json
        return [row[0] for row in csv.reader(io.StringIO(answer.text))][1:]


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "sku"},
        {"sort": "-name"},
        {"sort": "price", "min_price": "1"},
        {"category": "Lighting"},
        {"active": "false"},
        {"sku": "b"},
        {"name": "LAMP", "max_price": "6"},
        {"search": "desk la"},
        {"search": "100%", "sort": "number"},
        {},
    ],
)
def test_an_export_has_what_the_list_has_in_the_same_order(catalog, query):
    listed = catalog.get("/api/v1/products", query_string=query).json["items"]
    assert skus(catalog, **query) == [product["sku"] for product in listed]


def test_an_empty_export_is_a_header_or_nothing(catalog):
    assert catalog.get("/api/v1/products/export?sku=none").text == HEADER + "\n"
    assert catalog.get("/api/v1/products/export?sku=none&format=jsonl").text == ""


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("*/*", "", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "", "application/x-ndjson"),
        ("application/x-ndjson", "?format=csv", "text/csv; charset=utf-8"),
        ("text/csv", "?format=jsonl", "application/x-ndjson"),
    ],
)
def test_the_format_is_what_is_asked_for_else_what_is_accepted(catalog, accept, query, kind):
    with catalog.get(f"/api/v1/products/export{query}", headers={"Accept": accept}) as answer:
        assert answer.headers["Content-Type"] == kind
        suffix = "csv" if "csv" in kind else "jsonl"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="products.{suffix}"'


def test_a_wrong_filter_is_refused_by_name(catalog):
    answer = catalog.get("/api/v1/products/export?limit=5&format=xml")
    assert answer.status_code == 400
    assert sorted(error["field"] for error in answer.json["errors"]) == ["format", "limit"]


def test_half_of_the_threads_may_export_and_the_others_are_told_to_come_back(catalog):
    half = catalog.application.config["WEB_THREADS"] // 2
    addresses = [{"REMOTE_ADDR": f"127.0.0.{number}"} for number in range(1, half + 2)]
    *open_ones, refused = [catalog.get("/api/v1/products/export", environ_base=each) for each in addresses]
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    for answer in open_ones:
        answer.close()
    assert len(skus(catalog)) == 3


def test_an_export_that_fails_gives_everything_back_and_is_an_error(catalog, monkeypatch):
    monkeypatch.setitem(export._FORMS, "csv", "COPY (SELECT 1/0 FROM ({rows}) r) TO STDOUT")
    for _ in range(3):
        assert catalog.get("/api/v1/products/export").status_code == 500
    release = streams.slots().take()
    assert release
    release()
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_head_request_lets_go_of_the_connection(catalog):
    for _ in range(3):
        with catalog.head("/api/v1/products/export") as answer:
            assert answer.status_code == 200
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def impatient(environment):
    """The address of a server where a statement may take one second."""
    with served({**environment, "DATABASE_STATEMENT_TIMEOUT_SECONDS": "1", "WEB_THREADS": "2"}) as url:
        yield url


@pytest.fixture
def many(committed, impatient):
    """The same, with many products."""
    with committed.app_context(), db.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO products (sku, name, description) SELECT 'S-' || n, 'N', repeat('x', 300)"
                f" FROM generate_series(1, {MANY}) n"
            )
        )
    return impatient


def exporting(environment: dict[str, str]) -> int:
    """Return how many connections are in the middle of a COPY."""
    engine = create_engine(environment["DATABASE_URL"])
    with engine.connect() as connection:
        found = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY (%' "
                "AND backend_type = 'client backend'"
                " AND datname = current_database()"
            )
        )
    engine.dispose()
    return found


@contextlib.contextmanager
def begun(url: str):
    """Ask for an export and read no more than its start."""
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)  # else the system takes all of it in
        connection.connect((host, int(port)))
        connection.sendall(b"GET /api/v1/products/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        yield connection


@pytest.mark.processes
def test_a_client_that_goes_away_frees_the_connection_and_the_slot(many, environment):
    for _ in range(3):  # with two threads there is one slot
        with begun(many):
            wait_for(lambda: exporting(environment) == 1, 10)
        wait_for(lambda: exporting(environment) == 0, 10)
        wait_for(lambda: requests.get(f"{many}/api/v1/products/export?sku=none", timeout=20).ok)


@pytest.mark.processes
def test_a_slow_client_gets_all_of_it_however_short_a_statement_may_be(many, environment):
    with begun(many) as connection:
        started = seconds(environment)
        assert requests.get(f"{many}/health/live", timeout=20).ok
        wait_for(lambda: seconds(environment) - started > 1.5)
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received = received[-10:] + (piece := connection.recv(1 << 20))
            assert piece
    with requests.get(f"{many}/api/v1/products/export", timeout=30) as answer:
        assert answer.content.count(b"\n") == MANY + 1


def seconds(environment: dict[str, str]) -> float:
    engine = create_engine(environment["DATABASE_URL"])
    with engine.connect() as connection:
        now = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    engine.dispose()
    return now


@pytest.mark.processes
def test_an_export_that_breaks_off_does_not_look_whole(many, environment):
    with begun(many) as connection:
        wait_for(lambda: exporting(environment) == 1, 10)
        engine = create_engine(environment["DATABASE_URL"])
        with engine.connect() as admin:
            admin.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (%'"
                    " AND pid <> pg_backend_pid() AND datname = current_database()"
                )
            )
        engine.dispose()
        received = b""
        while piece := connection.recv(1 << 20):
            received = received[-10:] + piece
        assert not received.endswith(b"0\r\n\r\n")
