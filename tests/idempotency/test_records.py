"""What a repeated request is answered, and what is kept for it."""

import io
import uuid

import pytest
from sqlalchemy import func, select, text

from catalog import idempotency
from catalog.extensions import db
from catalog.idempotency import IdempotencyRecord
from catalog.imports.models import Import
from catalog.orders.models import Order
from catalog.products.models import Product, ProductWrite
from catalog.tasks.models import Task
from catalog.webhooks.models import Webhook

LAMP = {"sku": "LAMP-1", "name": "Desk lamp", "price": 39.5}
ORDER = {
    "id": 7,
    "customer": "ACME",
    "items": [{"sku": "P1", "quantity": 1, "unit_price": 2}],
    "submitted_at": "2026-01-05T10:00:00Z",
}
CREATE = """mutation Create($title: String!, $sku: String) {
    createProductSync(title: $title, price: 2, sku: $sku) { product { sku } } }"""


def key(value="one"):
    return {"Idempotency-Key": value}


def rows(model):
    return db.session.scalar(select(func.count()).select_from(model))


@pytest.fixture
def count(context):
    return rows


def test_without_the_header_nothing_is_kept(client, count):
    assert client.post("/api/v1/products", json=LAMP).status_code == 201
    assert count(IdempotencyRecord) == 0


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/api/v1/products", {"name": "Lamp"}, Product),
        ("/products", {"name": "Lamp", "price": 2, "stock_quantity": 1}, Product),
        ("/api/v1/products/bulk", {"items": [{"sku": "A", "name": "Lamp"}]}, Product),
        ("/api/v1/tasks", {"title": "Buy lamps"}, Task),
        ("/api/python/v1/tasks", {"title": "Buy lamps"}, Task),
        ("/api/v1/orders", ORDER, Order),
        ("/api/v1/webhooks", {"url": "http://127.0.0.1:8080/", "events": ["*"]}, Webhook),
        ("/graphql", {"query": 'mutation { createProductSync(title: "A", price: 1) { product { sku } } }'}, Product),
        ("/graphql", {"query": 'mutation { createProduct(title: "A", price: 1) { jobId } }'}, ProductWrite),
    ],
)
def test_a_repeated_request_is_answered_from_the_record_and_made_once(client, count, path, body, model):
    first = client.post(path, json=body, headers=key())
    again = client.post(path, json=body, headers=key())
    assert first.status_code < 300
    assert (again.status_code, again.data) == (first.status_code, first.data)
    for name in ("Content-Type", "ETag", "Location"):
        assert again.headers.get(name) == first.headers.get(name)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count(model) == 1


def test_a_mapping_that_is_kept_twice_is_no_conflict_with_the_key(client):
    body = {"name": "shop", "mapping": {"Title": "name", "No": "sku"}}
    assert client.post("/api/v1/imports/mappings", json=body, headers=key()).status_code == 201
    assert client.post("/api/v1/imports/mappings", json=body, headers=key()).status_code == 201
    assert client.post("/api/v1/imports/mappings", json=body).status_code == 409


def upload(client, content, name="products.csv", **options):
    data = {"file": (io.BytesIO(content), name), **options}
    return client.post("/api/v1/products/upload", data=data, headers=key())


def test_an_upload_is_the_same_by_its_bytes_its_name_and_its_options(client, app, count):
    content = b"sku,name\nA,Lamp\n"
    first, again = upload(client, content), upload(client, content)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert upload(client, b"sku,name\nB,Lamp\n").status_code == 422
    assert upload(client, content, "other.csv").status_code == 422
    assert upload(client, content, mode="create_only").status_code == 422
    assert count(Import) == 1


def test_the_file_of_a_repeated_upload_is_not_left_behind(client, app):
    from catalog.imports import storage

    first = upload(client, b"sku,name\nA,Lamp\n").json
    for _ in range(3):
        upload(client, b"sku,name\nA,Lamp\n")
    with app.app_context():
        folder = storage.path_of(uuid.uuid4()).parent
        assert [path for path in folder.iterdir() if path.suffix == ".part"] == []
        assert storage.path_of(first["task_id"]).exists()


def test_the_same_json_in_another_order_and_with_other_space_is_the_same(client, count):
    def post(text):
        return client.post("/api/v1/products", data=text, headers=key(), content_type="application/json")

    assert post('{"name": "Lamp", "price": 1.5}').status_code == 201
    assert post('{"price":1.5,\n"name":"Lamp"}').headers["Idempotent-Replayed"] == "true"
    assert count(Product) == 1


def test_another_content_with_the_same_key_is_422(client, count):
    client.post("/api/v1/products", json=LAMP, headers=key())
    answer = client.post("/api/v1/products", json={**LAMP, "price": 40.5}, headers=key())
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert count(Product) == 1


def test_a_key_belongs_to_its_path(client, count):
    assert client.post("/api/v1/tasks", json={"title": "A"}, headers=key()).status_code == 201
    assert client.post("/api/v1/products", json={"name": "A"}, headers=key()).status_code == 201
    assert client.post("/api/python/v1/tasks", json={"title": "B"}, headers=key()).status_code == 201


def test_a_key_belongs_to_its_caller(client, count, monkeypatch):
    from catalog.access import Caller

    for caller in ("key:1", "key:2"):
        monkeypatch.setattr(idempotency, "caller", lambda caller=caller: Caller(caller, "x"))
        answer = client.post("/api/v1/products", json={"name": caller}, headers=key())
        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer.headers
    assert count(Product) == 2


@pytest.mark.parametrize("value", ["", "a" * 256, "two words", "tab\there", "naïve", "\x7f"])
def test_a_key_has_1_to_255_visible_characters(client, count, value):
    answer = client.post("/api/v1/products", json=LAMP, headers=key(value))
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "Idempotency-Key"
    assert count(Product) == 0


@pytest.mark.parametrize("value", ["a", "a" * 255, '"~!,;"'])
def test_a_key_may_be_as_long_and_as_odd_as_that(client, value):
    assert client.post("/api/v1/products", json=LAMP, headers=key(value)).status_code == 201


def test_what_breaks_a_rule_is_not_kept_so_it_can_be_mended_under_the_same_key(client, count):
    assert client.post("/api/v1/products", json={"price": 1}, headers=key()).status_code == 400
    assert client.post("/api/v1/products", data=b"{", headers=key(), content_type="application/json").status_code == 400
    assert client.post("/api/v1/products", data=b"x", headers=key()).status_code == 415
    assert count(IdempotencyRecord) == 0
    assert client.post("/api/v1/products", json=LAMP, headers=key()).status_code == 201


def test_a_conflict_is_not_kept(client, count):
    lamp = client.post("/api/v1/products", json=LAMP).json
    assert client.post("/api/v1/products", json=LAMP, headers=key()).status_code == 409
    client.delete(f"/api/v1/products/{lamp['id']}")
    assert client.post("/api/v1/products", json=LAMP, headers=key()).status_code == 201


def test_a_fault_of_ours_is_not_kept_and_leaves_nothing_behind(client, count, monkeypatch):
    from catalog.products import service

    with monkeypatch.context() as broken:
        broken.setattr(service.webhooks, "publish", lambda *_: 1 / 0)
        assert client.post("/api/v1/products", json=LAMP, headers=key()).status_code == 500
    assert (count(Product), count(IdempotencyRecord)) == (0, 0)
    assert client.post("/api/v1/products", json=LAMP, headers=key()).status_code == 201


def test_what_is_told_after_the_commit_is_told_once(client, monkeypatch):
    from catalog import jobqueue

    rung = []
    monkeypatch.setattr(jobqueue, "ring", lambda *args, **_: rung.append(args))
    upload(client, b"sku,name\nA,Lamp\n")
    upload(client, b"sku,name\nA,Lamp\n")
    assert len(rung) == 1


def test_a_record_lasts_for_24_hours_and_is_swept_then(client, context, count):
    client.post("/api/v1/tasks", json={"title": "A"}, headers=key())
    _age("23 hours 59 minutes")
    assert idempotency.prune() == 0
    assert client.post("/api/v1/tasks", json={"title": "A"}, headers=key()).headers["Idempotent-Replayed"] == "true"
    _age("2 minutes")
    fresh = client.post("/api/v1/tasks", json={"title": "Another"}, headers=key())
    assert fresh.status_code == 201
    assert client.post("/api/v1/tasks", json={"title": "Another"}, headers=key()).data == fresh.data
    assert (count(Task), idempotency.prune()) == (2, 0)
    _age("25 hours")
    assert idempotency.prune() == 1
    assert count(IdempotencyRecord) == 0


def _age(interval):
    statement = text("UPDATE idempotency_records SET created_at = created_at - CAST(:by AS interval)")
    db.session.execute(statement, {"by": interval})
    db.session.commit()


def ask(client, query, **variables):
    return client.post("/graphql", json={"query": query, "variables": variables}, headers=key())


def test_a_mutation_is_the_same_by_query_and_variables(client, count):
    assert ask(client, CREATE, title="Lamp", sku="A").json["data"]
    assert ask(client, CREATE, title="Lamp", sku="A").headers["Idempotent-Replayed"] == "true"
    assert ask(client, CREATE, title="Lamp", sku="B").status_code == 422
    body = {"query": CREATE, "variables": {"sku": "A", "title": "Lamp"}, "extensions": {"trace": 1}}
    assert client.post("/graphql", json=body, headers=key()).headers["Idempotent-Replayed"] == "true"
    assert count(Product) == 1


def test_a_mutation_with_errors_is_not_kept_and_undone_as_a_whole(client, count):
    twice = """mutation { a: createProductSync(title: "A", price: 1, sku: "A") { product { sku } }
        b: createProductSync(title: "B", price: 1, sku: "a") { product { sku } } }"""
    answer = ask(client, twice).json
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "conflict"
    assert (count(Product), count(IdempotencyRecord)) == (0, 0)
    assert ask(client, twice.replace('"a"', '"B"')).json["data"]
    assert count(Product) == 2


def test_a_queued_write_without_a_queue_is_made_at_once_and_once(client, count, monkeypatch):
    from catalog.products import writes

    monkeypatch.setattr(writes, "ring", lambda: False)
    query = 'mutation { createProduct(title: "A", price: 1) { success message } }'
    answers = [ask(client, query).json["data"]["createProduct"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert "at once" in answers[0]["message"]
    assert (count(Product), count(ProductWrite)) == (1, 1)


def test_a_queued_write_is_rung_for_again_after_its_commit(client, monkeypatch):
    from catalog.database import in_transaction
    from catalog.products import writes

    rung = []
    monkeypatch.setattr(writes, "ring", lambda: rung.append(in_transaction()) or True)
    ask(client, 'mutation { createProduct(title: "A", price: 1) { success } }')
    assert rung == [True, False]


def test_a_query_is_read_anew_whatever_its_key(client, count):
    query = "{ allProducts { sku } }"
    assert ask(client, query).json["data"]["allProducts"] == []
    client.post("/api/v1/products", json=LAMP)
    assert len(ask(client, query).json["data"]["allProducts"]) == 1
    assert count(IdempotencyRecord) == 0


def test_a_document_that_cannot_be_run_is_not_kept(client, count):
    assert ask(client, "mutation {").json["errors"]
    assert ask(client, "mutation { nothing }").json["errors"]
    assert count(IdempotencyRecord) == 0


def test_a_secret_that_is_shown_once_is_encrypted_in_the_record_and_shown_again_to_its_repetition(client, context):
    hook = client.post("/api/v1/webhooks", json={"url": "http://127.0.0.1:8080/", "events": ["*"]}).json
    path = f"/api/v1/webhooks/{hook['id']}/rotate-secret"
    first = client.post(path, json={}, headers=key()).json
    again = client.post(path, json={}, headers=key())
    assert first["secret"]
    assert again.json == first
    kept = db.session.scalars(select(IdempotencyRecord)).one()
    assert kept.is_sealed
    assert first["secret"].encode() not in kept.body


def test_every_post_that_changes_something_takes_a_key(app):
    document = app.test_client().get("/api/openapi.json").json
    without = {
        path
        for path, item in document["paths"].items()
        if "post" in item and "Idempotency-Key" not in {each["name"] for each in item["post"].get("parameters", [])}
    }
    pure = {"/api/v1/transforms/{name}", "/api/v1/imports/suggested-mapping"}
    assert without == {*pure, "/api/v1/webhooks/{webhook_id}/test"}  # which no transaction may span
