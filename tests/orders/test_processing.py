"""Enrichment, totals, retries and events: what becomes of an order that is taken in."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import event, text

from catalog import bounded_http, jobqueue
from catalog.extensions import db
from catalog.orders import enrichment, fakestore, processing, service
from catalog.orders.fakestore import FAILURES
from tests.factories import make_product
from tests.orders import fakestore as stores
from tests.orders.conftest import content, events

CATALOG_THING = {"source": "catalog", "title": "Lamp", "category": "Lighting", "image": None, "price": 39.9}
FAKE_THING = {
    "source": "fakestore",
    "title": "Thing 7",
    "category": "things",
    "image": "https://i.example/1",
    "price": 9.95,
}


def make_due(order_id: int) -> None:
    """What the pause until the next attempt does."""
    db.session.execute(text("UPDATE orders SET due_at = now() - interval '1 s' WHERE id = :id"), {"id": order_id})
    db.session.commit()


def test_the_catalog_is_asked_first_then_fakestore_by_the_number_that_ends_the_sku(processed, store):
    lamp = make_product(sku="P001", name="Lamp", category="Lighting", price=Decimal("39.90"))
    order = processed(1, "p001", "Q-007")
    assert (order.status, order.error, order.attempts) == ("processed", None, 1)
    assert [item["product"] for item in order.items] == [
        {**CATALOG_THING, "id": str(lamp.id)},
        {**FAKE_THING, "id": "7"},
    ]
    assert [path for path, _ in store.asked] == ["/products/7"]


def test_totals_are_exact(processed):
    make_product(sku="P001")
    items = [{"sku": "P001", "quantity": 3, "unit_price": Decimal("0.1")}] * 7
    order = processed(1, items=[*items, {"sku": "P001", "quantity": 1_000_000, "unit_price": Decimal("9999.9999")}])
    assert order.total == Decimal("9999999902.1000")
    assert [item["line_total"] for item in order.items][6:] == [Decimal("0.3"), Decimal("9999999900")]


def test_all_items_of_all_orders_of_a_batch_are_looked_up_in_one_query(context):
    for number in range(30):
        make_product(sku=f"S{number}")
        service.submit(content(number + 1, f"S{number}", f"s{(number + 1) % 30}"))
    asked = []
    listener = ("before_cursor_execute", lambda *args: asked.append(args[2]))
    event.listen(db.engine, *listener)
    service.process()
    event.remove(db.engine, *listener)
    assert sum("FROM unnest" in statement for statement in asked) == 1
    assert len(asked) < 20
    assert service.page({"limit": 1, "offset": 0, "status": "processed"})["total"] == 30


@pytest.mark.parametrize("skus", [["NOBODY"], ["P001", "X-99"]])
def test_a_sku_that_nobody_knows_fails_the_order_with_a_reason_and_without_a_total(processed, store, skus):
    make_product(sku="P001")
    order = processed(1, *skus)
    assert (order.status, order.error) == ("failed", f"Nobody knows {skus[-1]}.")
    assert (order.total, order.processed_at, order.due_at) == (None, None, None)
    assert all("product" not in item for item in order.items)


def test_with_optional_enrichment_it_passes_without_a_product(processed, store, app, monkeypatch):
    monkeypatch.setitem(app.config, "ORDER_ENRICHMENT", "optional")
    order = processed(1, "Q-007", "X-99")
    assert (order.status, order.total) == ("processed", 60)
    assert [bool(item["product"]) for item in order.items] == [True, False]


def test_without_a_url_fakestore_is_not_asked(processed, store, app, monkeypatch):
    monkeypatch.setitem(app.config, "FAKESTORE_URL", None)
    assert processed(1, "Q-007").error == "Nobody knows Q-007."
    assert store.asked == []


@pytest.mark.parametrize(
    ("sku", "number"),
    [("P007", 7), ("7", 7), ("A-1-20", 20), ("A7B", None), ("A", None), ("A٣", None), ("9" * 10, None)],
)
def test_the_number_of_a_sku_is_that_which_ends_it(sku, number):
    assert fakestore.number_of(sku) == number


def test_answers_are_kept_so_that_the_same_product_is_asked_for_once(processed, store):
    processed(1, "A7", "B-7", "A8")
    processed(2, "A7", "A8")
    assert sorted(number for _, number in store.asked) == [7, 8]


def test_connections_are_kept(processed, store):
    for order_id in range(1, 11):
        processed(order_id, f"A{order_id}")
    assert len(store.asked) == 10
    assert len(store.clients) <= 2


LIES = {
    "500": stores.saying(b"oh", 500),
    "a redirect": stores.saying(b"", 302),
    "hangs": stores.hanging,
    "drips its head": stores.dripping_head,
    "drips its body": stores.dripping_body,
    "closes": stores.closing,
    "no end": stores.endless,
    "no JSON": stores.saying(b"<html>"),
    "no UTF-8": stores.saying(b'{"id": 7, "title": "\xff"}'),
    "deep JSON": stores.saying(b"[" * 100_000),
    "a list": stores.saying(b"[]"),
    "another product": stores.saying(stores.product(8)),
    "a title that is a number": stores.saying(stores.product(7, title=5)),
    "a title with NUL": stores.saying(stores.product(7, title="a\0")),
    "a price of text": stores.saying(stores.product(7, price="cheap")),
    "a price that is no number": stores.saying(stores.product(7, price=float("nan"))),
    "an id that is true": stores.saying(stores.product(7, id=True)),
}


@pytest.fixture
def deadlines(monkeypatch) -> list[float]:
    """When each try of a lookup must have ended."""
    ends, get = [], bounded_http.get

    def noted(url, total_seconds, max_bytes):
        ends.append(time.monotonic() + total_seconds)
        return get(url, total_seconds, max_bytes)

    monkeypatch.setattr(bounded_http, "get", noted)
    return ends


@pytest.mark.parametrize("behave", LIES.values(), ids=LIES.keys())
def test_where_fakestore_fails_hangs_or_lies_the_order_waits_and_is_processed_later(
    processed, store, behave, deadlines
):
    store.behave = behave
    began = time.monotonic()
    order = processed(1, "A7")
    assert time.monotonic() - began < 10  # what hangs does so for 30 s, what drips for ever
    assert max(deadlines) - min(deadlines) < 0.25  # all tries share one limit; another would end 0.5 s later
    assert (order.status, order.attempts, order.total) == ("queued", 1, None)
    assert "A7: " in order.error
    assert "FakeStore" in order.error or "within" in order.error
    assert 0 < (order.next_attempt_at - order.queued_at).total_seconds() < 4
    store.behave = stores.good
    make_due(1)
    service.process()
    assert service.get(1).status == "processed"
    assert service.get(1).error is None


@pytest.mark.parametrize("answer", [stores.saying(b""), stores.saying(b"null"), stores.saying(b"no", 404)])
def test_nothing_and_404_mean_that_there_is_no_such_product(processed, store, answer):
    store.behave = answer
    assert processed(1, "A7").error == "Nobody knows A7."


def test_a_hiccup_is_retried_at_once(processed, store, app, monkeypatch):
    monkeypatch.setitem(app.config, "FAKESTORE_TIMEOUT_SECONDS", 30)  # the pauses alone take nearly those of the others

    def behave(handler, number):
        (stores.saying(b"", 503) if len(store.asked) < 3 else stores.good)(handler, number)

    store.behave = behave
    assert processed(1, "A7").status == "processed"
    assert len(store.asked) == 3


def test_a_dead_fakestore_is_left_alone_after_a_few_failures(processed, store, app, monkeypatch):
    one_thread = ThreadPoolExecutor(1)
    monkeypatch.setattr(enrichment, "_threads", lambda: one_thread)
    store.behave = stores.saying(b"", 500)
    order = processed(1, *(f"A{number}" for number in range(1, 20)))
    assert order.status == "queued"
    assert len({number for _, number in store.asked}) == FAILURES


def test_after_a_day_of_failures_the_order_fails_and_a_retry_gives_it_another(processed, store, context):
    store.behave = stores.saying(b"", 500)
    processed(1, "A7")
    db.session.execute(text("UPDATE orders SET queued_at = now() - interval '25 h'"))
    make_due(1)
    service.process()
    order = service.get(1)
    assert (order.status, order.due_at) == ("failed", None)
    assert "Given up after a day" in order.error
    service.retry(1)
    service.process()
    assert service.get(1).status == "queued"


def test_a_waiting_order_is_tried_at_once_when_it_is_retried_by_hand(processed, store):
    store.behave = stores.saying(b"", 500)
    processed(1, "A7")
    store.behave = stores.good
    service.process()
    assert service.get(1).status == "queued"
    service.retry(1)
    service.process()
    assert service.get(1).status == "processed"


def test_the_sweep_rings_for_what_is_due_and_only_then(processed, store):
    store.behave = stores.saying(b"", 500)
    processed(1, "A7")
    service.process()
    jobqueue.queue("orders").empty()
    service.sweep()
    assert jobqueue.queue("orders").count == 0
    make_due(1)
    service.sweep()
    assert jobqueue.queue("orders").count == 1


def test_webhooks_are_told_of_what_was_processed_and_what_failed_as_the_api_shows_it(client, processed):
    make_product(sku="P001")
    processed(1, "P001")
    processed(2, "NOBODY")
    told = [each for each in events(db.session) if each[0].startswith("order.")]
    assert told == [
        ("order.processed", client.get("/api/v1/orders/1").json),
        ("order.failed", client.get("/api/v1/orders/2").json),
    ]


def test_no_transaction_is_open_while_fakestore_is_asked(committed, store, rows):
    open_ones = []

    def behave(handler, number):
        open_ones.extend(
            rows("SELECT query FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()")
        )
        stores.good(handler, number)

    store.behave = behave
    with committed.app_context():
        make_product(sku="P001")
        service.submit(content(1, "A7", "P001"))
        service.process()
        assert service.get(1).status == "processed"
    assert store.asked
    assert open_ones == []


def test_a_processor_that_lost_its_lease_settles_nothing_and_tells_nothing(context):
    make_product(sku="P001")
    service.submit(content(1, "P001"))
    slow = processing._Batch.claim()
    make_due(1)
    quick = processing._Batch.claim()
    slow.process()
    assert service.get(1).status == "processing"
    quick.process()
    assert service.get(1).attempts == 2
    slow.process()
    assert [name for name, _ in events(db.session)].count("order.processed") == 1


def test_an_order_that_makes_processing_fail_does_not_hold_up_the_others(context, monkeypatch):
    make_product(sku="P001")
    for order_id in (1, 2, 3):
        service.submit(content(order_id, "P001"))
    real = processing.judge

    def judge(order, *args):
        if order.id == 2:
            raise RuntimeError("a fault of ours")
        return real(order, *args)

    monkeypatch.setattr(processing, "judge", judge)
    service.process()
    assert [service.get(order_id).status for order_id in (1, 2, 3)] == ["processed", "queued", "processed"]
    assert service.get(2).error == "Something went wrong on our side; the log says what."
