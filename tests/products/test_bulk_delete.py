"""Deleting everything: guarded, in chunks, safe to run twice and to be killed."""

import threading
import uuid

import pytest
from sqlalchemy import func, select

from catalog import jobqueue, redisurl
from catalog.database import transaction
from catalog.extensions import db
from catalog.products import bulk_delete, jobs
from catalog.products.models import BulkDeletion, Product
from tests.factories import make_product

URL = "/api/v1/products"


@pytest.fixture
def rung(monkeypatch):
    """The jobs that were rung for, in place of a bell."""
    bells = []
    monkeypatch.setattr(jobqueue, "ring", lambda function, *args, queue_name: bells.append((function, *args)) or True)
    return bells


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Product)) or 0


def make(number: int) -> None:
    for _ in range(number):
        make_product()


def test_the_request_answers_202_and_rings_after_commit(client, app, rung):
    with app.app_context():
        make(3)
    answer = client.delete(f"{URL}/all")
    assert (answer.status_code, answer.json["status"]) == (202, "submitted")
    assert rung == [(bulk_delete.JOB, answer.json["task_id"])]
    status = client.get(answer.headers["Location"]).json
    assert (status["status"], status["percent"], status["deleted_count"], status["error"]) == ("pending", 0, 0, None)
    assert client.get(f"{URL}/stats").json["total"] == 3


def test_the_job_deletes_everything_and_the_status_says_so(client, app, rung, monkeypatch):
    monkeypatch.setattr(bulk_delete, "CHUNK", 2)
    with app.app_context():
        make(5)
    task = client.delete(f"{URL}/all").json["task_id"]
    with app.app_context():
        jobs.delete_all(task)
    status = client.get(f"{URL}/delete/{task}/status").json
    assert status == {
        "task_id": task,
        "status": "completed",
        "message": "5 of 5 products deleted",
        "percent": 100,
        "deleted_count": 5,
        "error": None,
    }
    assert client.get(f"{URL}/stats").json["total"] == 0


@pytest.mark.parametrize("expected", [2, 4])
def test_another_count_than_expected_is_409_and_deletes_nothing(client, app, rung, expected):
    with app.app_context():
        make(3)
    answer = client.delete(f"{URL}/all?expected_count={expected}")
    assert answer.status_code == 409
    assert "3 products" in answer.json["detail"]
    assert rung == []


def test_the_expected_count_lets_it_through(client, app, rung):
    with app.app_context():
        make(3)
    assert client.delete(f"{URL}/all?expected_count=3").status_code == 202


def test_the_status_of_an_unknown_deletion_is_404(client):
    assert client.get(f"{URL}/delete/{uuid.uuid4()}/status").status_code == 404


def test_products_that_came_after_the_request_stay(committed, rung):
    with committed.app_context():
        make_product(sku="before")
        deletion = bulk_delete.request()
        make_product(sku="after")
        bulk_delete.run(deletion.id)
        assert [product.sku for product in db.session.scalars(select(Product))] == ["after"]


def test_a_deletion_that_was_cut_off_goes_on_where_it_was(committed, rung, monkeypatch):
    monkeypatch.setattr(bulk_delete, "CHUNK", 2)
    with committed.app_context():
        make(5)
        deletion = bulk_delete.request()
        assert bulk_delete._delete_chunk(deletion.id)
        assert count() == 3
        bulk_delete.run(deletion.id)
        assert (bulk_delete.status(deletion.id).deleted, count()) == (5, 0)
        bulk_delete.run(deletion.id)  # a bell that rings twice
        assert bulk_delete.status(deletion.id).deleted == 5


def test_two_jobs_at_once_count_every_product_once(committed, rung, monkeypatch):
    monkeypatch.setattr(bulk_delete, "CHUNK", 3)
    with committed.app_context():
        make(40)
        deletion_id = bulk_delete.request().id

    def work() -> None:
        with committed.app_context():
            bulk_delete.run(deletion_id)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with committed.app_context():
        assert (bulk_delete.status(deletion_id).deleted, count()) == (40, 0)


def test_the_sweeper_rings_for_what_was_left_behind_and_for_nothing_else(committed, rung):
    with committed.app_context():
        make(1)
        left, moving, done = bulk_delete.request(), bulk_delete.request(), bulk_delete.request()
        bulk_delete.run(done.id)
        rung.clear()
        with transaction() as session:
            long_ago = func.now() - bulk_delete.LEFT_BEHIND * 2
            for deletion_id in (left.id, done.id):
                session.get(BulkDeletion, deletion_id).updated_at = long_ago
        bulk_delete.sweep()
        assert rung == [(bulk_delete.JOB, str(left.id))]
        assert moving.id != left.id


def test_a_queue_that_is_down_does_not_fail_the_request(client, app, monkeypatch):
    import redis

    closed = redis.Redis(port=1, socket_connect_timeout=0.1, retry=redisurl.at_once())
    monkeypatch.setattr(jobqueue, "client", lambda _url: closed)
    assert client.delete(f"{URL}/all").status_code == 202
