"""A task that is read is kept, and never older than the last change, whoever made it."""

import threading

import pytest
import redis

from catalog.database import transaction
from catalog.errors import CatalogError, ValidationFailed
from catalog.extensions import db
from catalog.products import bulk_delete
from catalog.products import service as products
from catalog.tasks import reads, service
from tests.factories import make_product
from tests.processes import wait_for
from tests.tasks.test_routes import PRODUCTS, create
from tests.tasks.test_routes import make_product as post_product


def test_a_second_read_is_a_hit_at_both_addresses_and_asks_no_database(client, monkeypatch):
    url = create(client).headers["Location"]
    miss = client.get(url)
    monkeypatch.setattr(service, "get", lambda *_: pytest.fail("the database was asked"))
    for address in (url, url.replace("/api/", "/api/python/")):
        hit = client.get(address)
        assert (miss.headers["X-Cache"], hit.headers["X-Cache"]) == ("MISS", "HIT")
        assert (hit.data, hit.headers["ETag"]) == (miss.data, '"1"')
        assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 304


def test_a_copy_is_kept_under_the_name_of_the_contract_for_at_most_600_seconds(client, app):
    task = create(client).json["id"]
    client.get(f"/api/v1/tasks/{task}")
    with redis.Redis.from_url(app.config["CACHE_REDIS_URL"]) as direct:
        left = direct.pttl(f"{app.config['CACHE_PREFIX']}:c:tasks::{task}")
    assert 500_000 < left <= 600_000


@pytest.mark.parametrize("status", ["IN_PROGRESS", "CANCELLED"])
def test_a_change_is_seen_by_the_next_read(client, status):
    url = create(client).headers["Location"]
    client.get(url)
    client.put(url, json={"status": status})
    assert client.get(url).json["status"] == status


def test_a_deleted_task_is_gone(client):
    url = create(client).headers["Location"]
    client.get(url)
    client.delete(url)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("whole", [False, True])
def test_the_next_read_sees_that_the_product_was_deleted_alone_or_with_all(client, app, whole):
    lamp = post_product(client)
    url = create(client, product_id=lamp).headers["Location"]
    assert client.get(url).json["product_id"] == lamp
    if whole:
        with app.app_context():
            bulk_delete.run(bulk_delete.request().id)
    else:
        client.delete(f"{PRODUCTS}/{lamp}")
    assert client.get(url).json["product_id"] is None


@pytest.fixture
def linked(committed):
    """The ids of a task and of the product that it is about, in a context whose changes are really committed."""
    with committed.app_context():
        product = make_product().id
        yield service.create({"title": "Order lamps", "product_id": product}).id, product


def in_thread(app, work) -> threading.Thread:
    def run():
        with app.app_context():
            work()
            db.session.remove()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_slow_reader_does_not_keep_the_product_that_was_deleted_meanwhile(linked, committed, monkeypatch):
    task, product = linked
    get = service.get

    def slow(identity):
        found = get(identity)
        db.session.expunge(found)
        in_thread(committed, lambda: products.delete(product)).join()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(service, "get", slow)
        assert reads.task(task).value["product_id"] == str(product)
    assert reads.task(task).value["product_id"] is None


def somebody_waits_for_a_lock() -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with db.engine.connect() as connection:
        return bool(connection.exec_driver_sql(waiting).scalar())


def test_a_product_that_is_being_deleted_cannot_be_given_to_a_task(linked, committed):
    task, product = linked
    raised = []

    def give():
        with pytest.raises(ValidationFailed) as caught:
            service.create({"title": "Too late", "product_id": product})
        raised.append(caught.value.errors[0]["field"])

    with transaction():
        products.delete(product)
        thread = in_thread(committed, give)
        wait_for(somebody_waits_for_a_lock)
    thread.join()
    assert raised == ["product_id"]
    assert service.get(task).product_id is None


def test_of_many_that_finish_a_task_differently_at_once_one_has_its_way(linked, committed):
    task, _ = linked
    start, outcomes = threading.Barrier(8), []

    def finish(status):
        start.wait()
        try:
            service.update(task, {"status": status})
            outcomes.append(status)
        except CatalogError as error:
            outcomes.append(error.status)

    statuses = ["COMPLETED", "CANCELLED"] * 4
    threads = [in_thread(committed, lambda status=status: finish(status)) for status in statuses]
    for thread in threads:
        thread.join()
    final = service.get(task)
    assert outcomes.count(final.status) == 4  # the first, and three for whom it was the same status again
    assert outcomes.count(409) == 4
    assert final.version == 2
