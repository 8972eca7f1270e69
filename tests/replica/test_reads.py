"""Lists come from the replica, and nothing that needs the latest does."""

import io
import time

import pytest
from sqlalchemy import text

from catalog import metrics, replica
from catalog.extensions import db
from catalog.replica.marks import COMMIT_SECONDS, SLACK
from tests.processes import wait_for
from tests.replica.conftest import AMPLE_LAG, LONGEST_LAG

pytestmark = pytest.mark.processes

LISTS = [
    "/api/v1/products",
    "/api/v1/products?search=lamp",
    "/api/v1/products/stats",
    "/api/v1/products/export",
    "/api/v1/tasks",
    "/api/v1/orders",
    "/api/v1/imports",
    "/api/v1/webhooks",
    "/api/v1/audit",
    "/console/products",
    "/console/orders",
]
LATEST = {"Cache-Control": "no-cache"}
MUTATE = 'mutation { createProductSync(title: "Lamp", price: 1) { product { id } } }'
ASK = "{ products { edges { node { title } } } }"


def add(client, name="Lamp"):
    answer = client.post("/api/v1/products", json={"name": name})
    assert answer.status_code == 201
    return answer.json["id"]


def names(answer):
    return [item["name"] for item in answer.json["items"]]


def lag(answer):
    return answer.headers.get("X-Replica-Lag")


def count(by):
    return metrics.replica_reads[by]._value.get()


@pytest.mark.parametrize("path", LISTS)
def test_lists_searches_and_exports_are_read_from_the_replica_and_say_how_old_they_are(reader, path):
    with reader.get(path, headers={"Accept": "text/html,application/json"}) as answer:
        assert answer.status_code == 200, answer.text
    assert 0 <= float(lag(answer)) <= AMPLE_LAG


def test_connections_of_graphql_are_read_from_the_replica(writer, reader, standby):
    standby.pause()
    add(writer)
    for ask in (lambda: reader.post("/graphql", json={"query": ASK}), lambda: reader.get("/graphql?query=" + ASK)):
        answer = ask()
        assert lag(answer)
        assert answer.json["data"]["products"]["edges"] == []


def test_the_replica_is_what_is_read_and_may_be_behind(writer, reader, standby):
    standby.pause()
    add(writer)
    answer = reader.get("/api/v1/products")
    assert lag(answer)
    assert names(answer) == []
    assert reader.get("/api/v1/products/export?format=jsonl").data == b""


@pytest.mark.parametrize("asked", ["no-cache", "no-store", "max-age=0"])
def test_whoever_asks_for_the_latest_gets_it(writer, reader, standby, asked):
    standby.pause()
    add(writer)
    answer = reader.get("/api/v1/products", headers={"Cache-Control": asked})
    assert names(answer) == ["Lamp"]
    assert lag(answer) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.post("/api/v1/products", json={"name": "Lamp"}),
        lambda client: client.post("/graphql", json={"query": MUTATE}),
        lambda client: client.put("/api/v1/products/by-sku/L-1", json={"name": "Lamp"}),
    ],
    ids=["post", "mutation", "put"],
)
def test_nobody_misses_a_write_of_its_own(writer, reader, standby, change):
    standby.pause()
    assert change(writer).status_code in (200, 201)
    answer = writer.get("/api/v1/products")
    assert names(answer) == ["Lamp"]
    assert lag(answer) is None
    assert names(reader.get("/api/v1/products")) == []


def test_an_order_that_is_taken_in_before_flask_counts_as_a_write(writer, standby):
    standby.pause()
    order = {"id": 1, "customer": "ACME", "submitted_at": "2026-01-01T00:00:00Z"}
    items = [{"sku": "P1", "quantity": 1, "unit_price": 10}]
    assert writer.post("/api/v1/orders", json={**order, "items": items}).status_code == 202
    assert [one["id"] for one in writer.get("/api/v1/orders").json["items"]] == [1]


def test_a_refused_write_is_none(writer):
    assert writer.post("/api/v1/products", json={"name": ""}).status_code == 400
    assert lag(writer.get("/api/v1/products"))


def test_who_wrote_reads_the_replica_again_when_that_must_have_it(writer):
    add(writer)
    wait_for(lambda: lag(writer.get("/api/v1/products")), LONGEST_LAG * SLACK + COMMIT_SECONDS + 20)
    assert names(writer.get("/api/v1/products")) == ["Lamp"]


def test_one_entity_is_never_read_from_the_replica_and_so_never_cached_old(writer, reader, standby):
    product = add(writer)
    wait_for(lambda: names(reader.get("/api/v1/products")) == ["Lamp"], 10)
    standby.pause()
    writer.put(f"/api/v1/products/{product}", json={"name": "Light"})
    first, again = (reader.get(f"/api/v1/products/{product}") for _ in range(2))
    assert (first.json["name"], first.headers["X-Cache"]) == ("Light", "MISS")
    assert (again.json["name"], again.headers["X-Cache"]) == ("Light", "HIT")
    sku = first.json["sku"]
    assert reader.get(f"/api/v1/products/by-sku/{sku}").json["name"] == "Light"
    ask = f'{{ product(productId: "{product}") {{ title }} }}'
    assert reader.post("/graphql", json={"query": ask}).json["data"]["product"]["title"] == "Light"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_may_write_reads_the_primary_alone(replicated, method):
    with replicated.test_request_context("/", method=method):
        assert replica.first(lambda engine: engine) is db.engine


def test_a_transaction_reads_the_primary_alone_and_so_does_what_is_no_request(replicated):
    from catalog.database import transaction

    with replicated.test_request_context("/"):
        assert replica.first(lambda engine: engine) is replica.of(replicated).engine
        with transaction():
            assert replica.first(lambda engine: engine) is db.engine
    with replicated.app_context():
        assert replica.first(lambda engine: engine) is db.engine


def test_the_replica_takes_no_writes(replicated):
    with replicated.test_request_context("/"), replica.of(replicated).engine.connect() as connection:
        assert connection.scalar(text("SHOW transaction_read_only")) == "on"
        assert connection.scalar(text("SELECT pg_is_in_recovery()"))


def test_what_fails_on_the_replica_is_asked_of_the_primary_and_counted(replicated):
    def ask(engine):
        with engine.connect() as connection:
            connection.scalar(text("SELECT 1 / (CASE WHEN pg_is_in_recovery() THEN 0 ELSE 1 END)"))
        return engine

    before = count("failed")
    with replicated.test_request_context("/"):
        assert replica.first(ask) is db.engine
        assert count("failed") == before + 1
        assert replica.of(replicated).watch.state().usable  # the statement was at fault, not the server


def test_what_takes_too_long_on_the_replica_is_not_begun_again(replicated):
    asked = []

    def ask(engine):
        asked.append(engine)
        with engine.connect() as connection:
            connection.execute(text("SET statement_timeout = '50ms'"))
            connection.scalar(text("SELECT pg_sleep(10)"))

    with replicated.test_request_context("/"), pytest.raises(Exception, match="statement timeout"):
        replica.first(ask)
    assert asked == [replica.of(replicated).engine]


@pytest.fixture
def filled(writer, replicated):
    """One of everything that is listed, as the replica has it; what is yielded is the id of the webhook."""
    product = add(writer)
    order = {"id": 1, "customer": "ACME", "submitted_at": "2026-01-01T00:00:00Z"}
    writer.post("/api/v1/orders", json={**order, "items": [{"sku": "P1", "quantity": 1, "unit_price": 10}]})
    writer.post("/api/v1/tasks", json={"title": "Dust", "product_id": product})
    hook = {"url": "http://127.0.0.1:1/hook", "events": ["product.*"], "headers": {"X-Shop": "1"}, "secret": "hush"}
    webhook = writer.post("/api/v1/webhooks", json=hook).json["id"]
    writer.post(f"/api/v1/webhooks/{webhook}/test", json={"event": "product.created", "payload": {}})
    file = (io.BytesIO(b"sku,name\nL-1,Lamp\n"), "products.csv")
    writer.post("/api/v1/products/upload", data={"file": file})
    add(writer, "Light")
    watch, begun = replica.of(replicated).watch, time.monotonic()
    wait_for(lambda: (watch.state().lag or 99) < time.monotonic() - begun, 10)
    return webhook


def test_what_the_replica_lists_is_whole(filled, reader):
    of_the_webhook = (f"webhooks/{filled}/{path}" for path in ("logs", "deliveries"))
    for path in ("products", "orders", "tasks", "webhooks", "imports", "audit", *of_the_webhook):
        answer = reader.get(f"/api/v1/{path}")
        assert lag(answer), path
        assert answer.json["items"] == reader.get(f"/api/v1/{path}", headers=LATEST).json["items"] != [], path


@pytest.mark.parametrize(
    "ask",
    [
        "{ products { edges { node { id sku title rating stockQuantity version createdAt } } totalCount } }",
        "{ allProducts { uuid title } }",
        "{ orders { items { id customer status items { sku product } hash } total } }",
        "{ tasks { items { id title status productId } total } }",
        "{ webhooks { items { id url events headers hasSecret } total } }",
        "{ imports { items { id filename state } total } }",
    ],
)
def test_what_the_replica_lists_for_graphql_is_whole(filled, reader, ask):
    answer = reader.post("/graphql", json={"query": ask})
    assert lag(answer)
    assert "errors" not in answer.json, answer.json
    assert answer.json == reader.post("/graphql", json={"query": ask}, headers=LATEST).json


@pytest.mark.parametrize("page", ["products", "orders", "imports", "webhooks", "tasks"])
def test_the_pages_of_the_console_show_what_the_replica_has(filled, reader, page):
    answer = reader.get(f"/console/{page}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert lag(answer)


def test_both_formats_of_an_export_come_from_the_replica(filled, reader):
    for form in ("csv", "jsonl"):
        with reader.get(f"/api/v1/products/export?format={form}") as answer:
            assert lag(answer)
            assert b"Light" in answer.data
