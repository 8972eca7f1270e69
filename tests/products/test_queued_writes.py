"""GraphQL's createProduct and updateProduct: answered before they are made, made once, in order, or visibly failed."""

import socket
import threading
import time
import uuid
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from catalog import jobqueue
from catalog.database import transaction
from catalog.extensions import db
from catalog.products import applying, queueing, service, writes
from catalog.products.models import Product, ProductWrite
from tests.factories import make_product
from tests.jobs.conftest import in_place, queues  # noqa: F401
from tests.processes import free_port

CREATE = """mutation($title: String!, $price: Float!, $sku: String, $rate: Float) {
  createProduct(title: $title, price: $price, sku: $sku, ratingRate: $rate, category: "Light") {
    success message jobId productId } }"""
UPDATE = """mutation($id: ID!, $title: String, $price: Float, $sku: String, $count: Int) {
  updateProduct(productId: $id, title: $title, price: $price, sku: $sku, ratingCount: $count) {
    success message jobId productId } }"""


@pytest.fixture
def quiet(queues):  # noqa: F811
    """No bell has been rung, and no worker hears one."""
    jobqueue.hear(writes.JOB)
    yield
    jobqueue.hear(writes.JOB)


@pytest.fixture
def asked(quiet, committed):
    """Post an operation as a client does, really committing; return the answer's one field, or the errors."""
    client = committed.test_client()

    def ask(query, **variables):
        body = client.post("/graphql", json={"query": query, "variables": variables}).json
        return SimpleNamespace(**next(iter(body["data"].values()))) if body.get("data") else body["errors"]

    ask.client = client  # type: ignore[attr-defined]
    yield ask
    db.session.rollback()


@pytest.fixture
def no_redis(app, monkeypatch):
    """The queue's Redis refuses every connection."""
    monkeypatch.setitem(app.config, "REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")


def product(product_id) -> Product | None:
    return db.session.get(Product, uuid.UUID(str(product_id)), populate_existing=True)


def write(job_id) -> ProductWrite:
    return writes.statuses([uuid.UUID(str(job_id))])[uuid.UUID(str(job_id))]


def events(name: str) -> list[dict]:
    rows = db.session.execute(text("SELECT data FROM webhook_events WHERE name = :name ORDER BY id"), {"name": name})
    return list(rows.scalars())


def test_a_creation_is_answered_before_it_is_made_with_the_id_that_the_product_will_have(asked):
    answer = asked(CREATE, title="Lamp", price=39.9, sku="LAMP", rate=4.5)
    assert (answer.success, answer.message) == (True, "Product 'Lamp' queued for creation")
    assert product(answer.productId) is None
    assert asked.client.get(f"/api/v1/jobs/{answer.jobId}").json["state"] == "pending"
    applying.drain()
    made = product(answer.productId)
    assert (made.name, made.sku, str(made.price), str(made.rating_rate)) == ("Lamp", "LAMP", "39.90", "4.50")
    assert made.category == "Light"
    assert [event["id"] for event in events("product.created")] == [answer.productId]
    job = asked.client.get(f"/api/v1/jobs/{answer.jobId}").json
    assert (job["state"], job["kind"], job["percent"]) == ("completed", "product_write", 100)
    assert job["result"]["product_id"] == answer.productId


@pytest.mark.parametrize("by", ["number", "id"])
def test_an_update_is_answered_before_it_is_made(asked, by):
    present = make_product(name="Old", price="5")
    reference = str(getattr(present, by))
    answer = asked(UPDATE, id=reference, title="New", price=0.1, count=3)
    assert (answer.success, answer.message) == (True, f"Product {reference} queued for update")
    assert answer.productId == str(present.id)
    assert product(present.id).name == "Old"
    applying.drain()
    changed = product(present.id)
    assert (changed.name, str(changed.price), changed.rating_count, changed.version) == ("New", "0.10", 3, 2)
    assert events("product.updated")[0]["changed"]["name"] == {"from": "Old", "to": "New"}


@pytest.mark.parametrize("reference", ["7", "00000000-0000-7000-8000-000000000000", "x", "99999999999999999999999999"])
def test_an_update_of_no_product_is_no_success_and_queues_nothing(asked, reference):
    answer = asked(UPDATE, id=reference, title="New")
    assert (answer.success, answer.message) == (False, f"There is no product {reference}")
    assert answer.jobId is None
    assert db.session.scalar(select(func.count()).select_from(ProductWrite)) == 0


def test_a_product_that_waits_to_be_created_can_be_updated_by_the_id_it_was_promised(asked):
    created = asked(CREATE, title="Lamp", price=5)
    for price in (6, 7.25):
        assert asked(UPDATE, id=created.productId, price=price).success is True
    applying.drain()
    made = product(created.productId)
    assert (str(made.price), made.version) == ("7.25", 3)


@pytest.mark.parametrize(
    ("given", "field"),
    [({"price": -1}, "price"), ({"price": 1.999}, "price"), ({"title": " "}, "title"), ({"rate": 9}, "ratingRate")],
)
def test_what_rest_would_refuse_is_refused_before_it_is_queued(asked, given, field):
    (error,) = asked(CREATE, **{"title": "Lamp", "price": 1, **given})
    assert error["extensions"]["code"] == "validation_error"
    assert [each["field"] for each in error["extensions"]["errors"]] == [field]
    assert db.session.scalar(select(func.count()).select_from(ProductWrite)) == 0


def test_many_writes_ring_for_one_job(asked):
    for number in range(5):
        asked(CREATE, title=f"Lamp {number}", price=1)
    assert len(in_place("pending")) == 1
    applying.drain()
    asked(CREATE, title="Another", price=1)
    assert len(in_place("pending")) == 2


def test_a_drain_that_has_done_its_share_rings_for_another(asked, monkeypatch):
    asked(CREATE, title="Lamp", price=1)
    monkeypatch.setattr(applying, "SHARE_SECONDS", 0)
    applying.drain()
    assert writes.page("queued", 1, 0)["total"] == 1
    assert len(in_place("pending")) == 2


def test_a_repeated_job_makes_no_second_product(asked):
    answer = asked(CREATE, title="Lamp", price=1)
    for _ in range(3):
        applying.drain()
    assert product(answer.productId).version == 1
    assert db.session.scalar(select(func.count()).select_from(Product)) == 1
    assert len(events("product.created")) == 1


def test_workers_at_once_make_every_write_once_and_those_of_a_product_in_order(asked, app):
    ids = [asked(CREATE, title=f"Lamp {number}", price=1).productId for number in range(4)]
    for turn in range(10):
        for one in ids:
            asked(UPDATE, id=one, title=f"Turn {turn}")

    def work():
        with app.app_context():
            applying.drain()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    applying.drain()  # what was the last of a product when its predecessor was under way
    for one in ids:
        assert (product(one).name, product(one).version) == ("Turn 9", 11)
        told = [event["name"] for event in events("product.updated") if event["id"] == one]
        assert told == [f"Turn {turn}" for turn in range(10)]


def test_a_write_that_fails_later_is_seen_as_a_job_in_a_list_and_by_an_event(asked):
    make_product(sku="TAKEN")
    answer = asked(CREATE, title="Lamp", price=1, sku="taken")
    assert answer.success is True
    applying.drain()
    job = asked.client.get(f"/api/v1/celery/task/{answer.jobId}").json
    assert (job["state"], job["status"]) == ("failed", "FAILURE")
    assert "'taken'" in job["error"]
    page = asked.client.get("/api/v1/products/writes?state=failed").json
    assert (page["total"], page["has_more"]) == (1, False)
    (listed,) = page["items"]
    assert (listed["id"], listed["product_id"]) == (answer.jobId, answer.productId)
    assert (listed["kind"], listed["code"], listed["fields"]["sku"]) == ("create", "conflict", "taken")
    assert listed["errors"] == [{"field": "sku", "message": "Is taken.", "code": "duplicate"}]
    (told,) = events("product.write_failed")
    assert told == {
        "job_id": answer.jobId,
        "kind": "create",
        "product_id": answer.productId,
        "code": "conflict",
        "error": job["error"],
        "errors": listed["errors"],
    }


def test_the_list_of_writes_goes_by_state_in_pages_the_latest_first(asked):
    ids = [asked(CREATE, title=f"Lamp {number}", price=1).jobId for number in range(3)]
    page = asked.client.get("/api/v1/products/writes?state=queued&limit=2").json
    assert ([each["id"] for each in page["items"]], page["total"], page["has_more"]) == (ids[:0:-1], 3, True)
    page = asked.client.get("/api/v1/products/writes?limit=2&offset=2").json
    assert ([each["id"] for each in page["items"]], page["has_more"]) == (ids[:1], False)
    assert asked.client.get("/api/v1/products/writes?state=done").json["total"] == 0
    assert asked.client.get("/api/v1/products/writes?state=lost").status_code == 400


def test_an_update_of_a_product_that_is_deleted_meanwhile_fails_visibly(asked):
    present = make_product()
    answer = asked(UPDATE, id=str(present.number), title="New")
    service.delete(present.id)
    applying.drain()
    assert (write(answer.jobId).state, write(answer.jobId).code) == ("failed", "not_found")


def test_a_failed_write_can_be_retried_and_no_other(asked):
    present = make_product(sku="TAKEN")
    answer = asked(CREATE, title="Lamp", price=1, sku="TAKEN")
    url = f"/api/v1/jobs/{answer.jobId}/retry"
    assert asked.client.post(url).status_code == 409
    applying.drain()
    service.delete(present.id)
    retried = asked.client.post(url)
    assert (retried.status_code, retried.json["state"], retried.json["error"]) == (202, "pending", None)
    applying.drain()
    assert product(answer.productId).sku == "TAKEN"
    assert asked.client.post(url).status_code == 409
    assert asked.client.post(f"/api/v1/jobs/{uuid.uuid4()}/retry").status_code == 404


def test_a_retried_write_comes_behind_those_that_were_answered_since(asked):
    present, other = make_product(sku="MINE"), make_product(sku="TAKEN")
    first = asked(UPDATE, id=str(present.id), sku="TAKEN", title="First")
    applying.drain()
    second = asked(UPDATE, id=str(present.id), title="Second")
    service.delete(other.id)
    asked.client.post(f"/api/v1/jobs/{first.jobId}/retry")
    applying.drain()
    assert (product(present.id).name, product(present.id).sku) == ("First", "TAKEN")
    assert write(second.jobId).state == "done"


def test_a_queued_write_can_be_called_off_and_a_finished_one_not(asked):
    answer = asked(CREATE, title="Lamp", price=1)
    url = f"/api/v1/jobs/{answer.jobId}"
    cancelled = asked.client.delete(url)
    assert (cancelled.status_code, cancelled.json["state"], cancelled.json["error"]) == (202, "failed", "Cancelled")
    applying.drain()
    assert product(answer.productId) is None
    assert events("product.write_failed")[0]["code"] == "cancelled"
    assert asked.client.delete(url).status_code == 409


def test_without_redis_a_write_is_made_at_once_and_says_so(asked, no_redis):
    created = asked(CREATE, title="Lamp", price=5)
    assert created.message == "Product 'Lamp' created at once: the queue is not reachable"
    assert product(created.productId).name == "Lamp"
    number = str(product(created.productId).number)
    updated = asked(UPDATE, id=number, title="New")
    assert (updated.success, updated.message) == (
        True,
        f"Product {number} updated at once: the queue is not reachable",
    )
    assert product(created.productId).name == "New"
    assert asked.client.get(f"/api/v1/jobs/{updated.jobId}").json["state"] == "completed"


def test_a_redis_that_hangs_delays_the_first_write_for_a_moment_and_the_next_not_at_all(asked, app, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it lets everyone in and never says a word
        monkeypatch.setitem(app.config, "REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        asked_of_redis: list[float] = []
        ring = writes.ring

        def timed():
            began = time.monotonic()
            rung = ring()
            asked_of_redis.append(time.monotonic() - began)
            return rung

        monkeypatch.setattr(writes, "ring", timed)
        answers = [asked(CREATE, title=f"Lamp {number}", price=1) for number in range(3)]
    assert all("at once" in answer.message for answer in answers)
    assert asked_of_redis[0] < 5
    assert min(asked_of_redis) < asked_of_redis[0] / 4  # the breaker is open


def test_without_redis_a_write_that_cannot_be_made_is_no_success(asked, no_redis):
    make_product(sku="TAKEN")
    answer = asked(CREATE, title="Lamp", price=5, sku="TAKEN")
    assert answer.success is False
    assert answer.message == "Product 'Lamp' not created: There is a product with the SKU 'TAKEN' already."
    assert write(answer.jobId).state == "failed"


def test_when_redis_goes_down_what_was_queued_before_comes_first(asked, monkeypatch, app):
    present = make_product(name="Old")
    first = asked(UPDATE, id=str(present.id), title="First")
    monkeypatch.setitem(app.config, "REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    second = asked(UPDATE, id=str(present.id), title="Second")
    assert "at once" in second.message
    assert (product(present.id).name, product(present.id).version) == ("Second", 3)
    assert write(first.jobId).state == "done"


def test_a_write_at_once_waits_for_the_worker_that_is_at_its_predecessor(asked, app, monkeypatch):
    present = make_product(name="Old")
    asked(UPDATE, id=str(present.id), title="First")
    held, settle, go_on = threading.Event(), applying._settle, threading.Event()

    def slowly(one):
        if threading.current_thread() is worker:
            held.set()
            assert go_on.wait(10)
        settle(one)

    def work():
        with app.app_context():
            applying.apply_next()

    monkeypatch.setattr(applying, "_settle", slowly)
    worker = threading.Thread(target=work)
    worker.start()
    assert held.wait(10)
    monkeypatch.setitem(app.config, "REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    threading.Timer(0.2, go_on.set).start()
    answer = asked(UPDATE, id=str(present.id), title="Second")
    worker.join()
    assert "at once" in answer.message
    assert (product(present.id).name, product(present.id).version) == ("Second", 3)


def failing(times: int):
    """A service that has no database for so many calls."""
    left = iter(range(times))

    def create(fields):
        if next(left, None) is not None:
            raise OperationalError("INSERT", {}, Exception("deadlock detected"))
        return made(fields)

    made = service.create
    return create


def test_what_did_not_work_is_put_off_visibly_and_made_when_it_does(asked, monkeypatch):
    monkeypatch.setattr(service, "create", failing(1))
    answer = asked(CREATE, title="Lamp", price=1)
    later = asked(UPDATE, id=answer.productId, title="New")
    applying.drain()
    waiting = write(answer.jobId)
    assert (waiting.state, waiting.attempts, waiting.code) == ("queued", 1, "unavailable")
    assert (waiting.due_at - waiting.created_at).total_seconds() >= 2
    assert write(later.jobId).state == "queued"  # it waits for its turn
    with transaction() as session:
        session.execute(text("UPDATE product_writes SET due_at = now()"))
    applying.drain()
    assert (product(answer.productId).name, write(answer.jobId).error) == ("New", None)


def test_what_never_works_fails_in_the_end(asked, monkeypatch):
    monkeypatch.setattr(service, "create", failing(100))
    answer = asked(CREATE, title="Lamp", price=1)
    for _ in range(applying.MOST_ATTEMPTS):
        with transaction() as session:
            session.execute(text("UPDATE product_writes SET due_at = now()"))
        applying.drain()
    assert (write(answer.jobId).state, write(answer.jobId).code) == ("failed", "unavailable")
    assert len(events("product.write_failed")) == 1


def test_the_sweep_rings_for_what_nobody_rang_for(asked):
    writes.sweep()
    assert in_place("pending") == []
    asked(CREATE, title="Lamp", price=1)
    jobqueue.connection().flushdb()
    writes.sweep()
    assert in_place("pending") == []  # it is too young
    with transaction() as session:
        session.execute(text("UPDATE product_writes SET due_at = now() - interval '3 seconds'"))
    writes.sweep()
    assert len(in_place("pending")) == 1


def test_what_ended_long_ago_is_forgotten(asked):
    statement = text("""
        INSERT INTO product_writes (id, kind, fields, state, finished_at)
        VALUES (uuidv7(interval '-40 days'), 'create', '{}', :state, now() - make_interval(days => :days))""")
    with transaction() as session:
        for state, days in (("done", 39), ("failed", 39), ("failed", 1), ("queued", 39)):
            session.execute(statement, {"state": state, "days": days})
    assert writes.prune() == 2
    assert writes.page(None, 10, 0)["total"] == 2


def test_the_queue_of_one_request_is_one_short_transaction(quiet, committed):
    """What makes it faster than the write itself: one statement, and Redis is asked once."""
    from sqlalchemy import event

    asked: list[str] = []

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    with committed.app_context():
        engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            queueing.create({"name": "Lamp"})
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 1
