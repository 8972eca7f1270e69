"""What is kept, what is forgotten, and what a race must not keep."""

import threading
import uuid

import pytest
from sqlalchemy import text

from catalog import cache
from catalog.cache import BYPASS, HIT, MISS, protocol
from catalog.database import transaction
from catalog.errors import NotFound
from catalog.extensions import db
from catalog.products import reads, service
from tests.cache.steps import age_rows, in_context, rows, set_stock_unseen, stock

pytestmark = pytest.mark.usefixtures("patient", "cached_app")


def test_the_second_read_is_a_hit_and_asks_no_database(product, monkeypatch):
    assert stock(product) == (1, MISS)
    monkeypatch.setattr(service, "get", lambda *_: pytest.fail("the database was asked"))
    assert stock(product) == (1, HIT)


def test_a_write_is_seen_by_the_next_read(product):
    stock(product)
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, MISS)
    assert stock(product) == (2, HIT)


def test_a_deleted_product_is_gone_and_its_absence_is_remembered(product):
    stock(product)
    service.delete(product)
    for outcome in (MISS, HIT):
        with pytest.raises(NotFound) as raised:
            reads.product(product)
        assert raised.value.headers["X-Cache"] == outcome


def test_an_absence_is_forgotten_when_the_product_is_created(direct):
    identity = uuid.uuid4()
    with pytest.raises(NotFound):
        reads.product(identity)
    assert 0 < direct.pttl(f"catalog:c:product:{identity}") <= cache.NEGATIVE_SECONDS * 1000
    service.create({"id": identity, "name": "Late"})
    assert stock(identity) == (0, MISS)


def test_a_namespace_is_forgotten_whole_in_as_many_steps_as_one_entry(product, direct):
    others = [service.create({"name": "Other"}).id for _ in range(20)]
    for one in (product, *others):
        stock(one)
    before = direct.info("stats")["total_commands_processed"]
    with transaction():
        cache.invalidate("product:*")
    assert direct.info("stats")["total_commands_processed"] - before < 10
    assert all(stock(one)[1] == MISS for one in (product, *others))


def test_a_raw_connection_forgets_with_its_own_commit(product):
    stock(product)
    raw = db.engine.raw_connection()
    with raw.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("UPDATE products SET stock_quantity = 9 WHERE id = %s", (str(product),))
    with cache.invalidating(raw, ["product:*"]):
        raw.commit()
    raw.close()
    assert stock(product) == (9, MISS)


def test_a_transaction_that_rolls_back_forgets_nothing(product):
    stock(product)
    before = rows()
    with pytest.raises(ZeroDivisionError), transaction():
        cache.invalidate(f"product:{product}")
        raise ZeroDivisionError
    assert rows() == before
    assert stock(product) == (1, HIT)


def test_what_a_transaction_rolled_back_is_not_taken_into_the_next(product):
    with pytest.raises(ZeroDivisionError), transaction():
        cache.invalidate("product:*")
        raise ZeroDivisionError
    stock(product)
    with transaction():
        cache.invalidate("product:other")
    assert stock(product) == (1, HIT)


def test_reads_within_an_open_transaction_neither_use_nor_fill_the_cache(product):
    stock(product)
    with transaction():
        service.update(product, {"stock_quantity": 5})
        assert stock(product) == (5, BYPASS)
        raised = NotFound("stop")
        db.session.rollback()
    assert raised
    assert stock(product)[0] == 1


def read_while(monkeypatch, product_id, meanwhile) -> int:
    """Read, and do something between the reader's SELECT and its fill."""
    get = service.get

    def slow(identity):
        found = get(identity)
        db.session.expunge(found)
        monkeypatch.setattr(service, "get", get)
        thread = threading.Thread(target=meanwhile)
        thread.start()
        thread.join()
        return found

    monkeypatch.setattr(service, "get", slow)
    return stock(product_id)[0]


def test_a_slow_reader_does_not_keep_what_it_read_before_a_write(product, cached_app, monkeypatch):
    write = in_context(cached_app, lambda: service.update(product, {"stock_quantity": 2}))
    assert read_while(monkeypatch, product, write) == 1
    assert stock(product) == (2, MISS)


def test_a_slow_reader_does_not_keep_what_it_read_before_a_wipe_and_a_write(product, cached_app, monkeypatch, direct):
    def wipe_and_write():
        direct.flushall()
        service.update(product, {"stock_quantity": 2})
        direct.flushall()

    assert read_while(monkeypatch, product, in_context(cached_app, wipe_and_write)) == 1
    assert stock(product) == (2, MISS)


def test_a_slow_reader_does_not_keep_what_it_read_before_an_import(product, cached_app, monkeypatch):
    def change_all():
        with transaction() as session:
            session.execute(text("UPDATE products SET stock_quantity = 3"))
            cache.invalidate("product:*")

    assert read_while(monkeypatch, product, in_context(cached_app, change_all)) == 1
    assert stock(product) == (3, MISS)


def test_between_fence_and_clearing_readers_go_round_the_cache(product, writer):
    stock(product)
    name = f"product:{product}"
    assert writer.fence([name], "Fmine")
    set_stock_unseen(product, 7)
    assert stock(product) == (7, BYPASS)
    assert writer.clear([name], ["Fmine"])
    assert stock(product) == (7, MISS)


def test_a_writer_does_not_clear_the_fence_of_another(product, writer):
    name = f"product:{product}"
    writer.fence([name], "Fmine")
    writer.fence([name], "Ftheirs")
    writer.clear([name], ["Fmine"])
    assert stock(product)[1] == BYPASS
    writer.clear([name], ["Ftheirs"])
    assert stock(product)[1] == MISS


def test_a_fence_whose_writer_died_ends_by_itself(product, writer, direct):
    writer.fence([f"product:{product}", "product:*"], "Fdead")
    for key in (f"catalog:c:product:{product}", "catalog:n:product"):
        assert 0 < direct.pttl(key) <= protocol.FENCE_MILLISECONDS


def test_the_sweep_clears_up_after_a_writer_that_died_behind_its_commit(product, monkeypatch):
    stock(product)
    monkeypatch.setattr(cache.Invalidation, "after_commit", lambda self: None)
    service.update(product, {"stock_quantity": 4})
    monkeypatch.undo()
    assert stock(product) == (4, BYPASS)
    age_rows()
    assert cache.sweep() > 0
    assert stock(product) == (4, MISS)
    assert rows() == []


def test_the_sweep_leaves_young_rows_to_their_writers(product):
    age_rows()
    cache.sweep()
    service.update(product, {"stock_quantity": 2})
    cache.sweep()
    assert rows() == ["fenced"]


def test_a_copy_of_other_code_is_not_read(product, monkeypatch):
    stock(product)
    reader = cache.current().reader
    monkeypatch.setattr(reader, "_head", b"V000000000000 ")
    assert stock(product) == (1, MISS)


def test_copies_end_at_different_times_and_never_after_their_ttl(direct):
    made = [service.create({"name": "x"}).id for _ in range(12)]
    for one in made:
        stock(one)
    left = {direct.ttl(f"catalog:c:product:{one}") for one in made}
    assert len(left) > 4
    assert 0.85 * 3600 < min(left) <= max(left) <= 3600


def test_64_readers_of_a_cold_key_load_it_at_most_twice(product, cached_app, monkeypatch):
    """However long the load takes on a busy machine: those who wait for it wait for longer here."""
    monkeypatch.setattr("catalog.cache.reads.HERD_SECONDS", 60.0)
    monkeypatch.setattr(protocol, "LOAD_MILLISECONDS", 60_000)
    monkeypatch.setattr("catalog.cache.trust.TRUST_SECONDS", 60.0)
    get, loads = service.get, []

    def counting(identity):
        loads.append(identity)
        return get(identity)

    monkeypatch.setattr(service, "get", counting)
    start = threading.Barrier(64)
    seen = []

    def read():
        with cached_app.app_context():
            start.wait()
            seen.append(stock(product)[0])

    threads = [threading.Thread(target=read) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 64
    assert 1 <= len(loads) <= 2


def test_a_loader_that_fails_gives_its_place_to_the_next(product, monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(service, "get", fail)
        with pytest.raises(ZeroDivisionError):
            reads.product(product)
    assert stock(product) == (1, MISS)
