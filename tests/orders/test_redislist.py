"""The Redis list: nothing in it is lost or kept twice, and what cannot be read is kept aside."""

import contextlib
import json
import signal
import threading

import pytest
import redis

from catalog.commands.orders import orders
from catalog.errors import Conflict, Unavailable
from catalog.orders import consumer as consumers
from catalog.orders import deadletters, redislist, seeds, service
from catalog.orders.redislist import RedisList
from catalog.orders.schemas import OrderSubmitSchema
from catalog.strictjson import parse_json
from tests.forked import running
from tests.orders.conftest import body
from tests.processes import served, wait_for


@pytest.fixture
def queue(app, monkeypatch):
    """The list of this test, empty before and after."""
    url = app.config["REDIS_URL"]
    monkeypatch.setitem(app.config, "ORDER_QUEUE_REDIS_URL", url)
    connection = redis.Redis.from_url(url)
    forget(connection)
    yield RedisList(connection, "orderflow:orders")
    forget(connection)


def forget(connection):
    for key in connection.scan_iter("orderflow:*"):
        connection.delete(key)


@pytest.fixture
def consuming(committed, queue):
    """Run a consumer in a thread while the test runs."""
    with consumer_thread(committed, queue) as consumer:
        yield consumer


@contextlib.contextmanager
def consumer_thread(app, queue):
    """Run a consumer in a thread for as long as the block takes."""
    consumer = consumers.Consumer(app, queue)
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        thread.join(60)
    assert not thread.is_alive()


def invoke(app, arguments):
    with app.app_context():
        return app.test_cli_runner().invoke(orders, arguments)


def written(*args, **fields) -> bytes:
    return json.dumps(body(*args, **fields)).encode()


def kept(rows) -> list[int]:
    return [row["id"] for row in rows("SELECT id FROM orders ORDER BY number")]


def test_orders_of_the_list_are_kept_in_its_order_and_leave_it(queue, consuming, rows):
    queue.push([written(order_id) for order_id in range(1, 451)])
    wait_for(lambda: queue.waiting() == 0)
    assert sorted(kept(rows)) == list(range(1, 451))
    assert queue.dead() == []


UNREADABLE = {
    "no JSON": (b"order 7", "not valid JSON"),
    "no UTF-8": (b"\xff\xfe\x00", "not valid UTF-8"),
    "no object": (b"[1]", "Invalid input"),
    "too deep": (b"[" * 100 + b"]" * 100, "nested deeper"),
    "too large": (b" " * 1_000_001, "larger than"),
    "a number beyond decimals": (b'{"id": 5, "x": 1e9999999999999999999}', "exponent"),
    "a price beyond doubles": (
        written(9, items=[{"sku": "A", "quantity": 1, "unit_price": 1}]).replace(b'price": 1', b'price": 1e9999999'),
        "exponent",
    ),
    "a lone surrogate": (b'{"\\ud800": 1, "\\ud800": 1}', "ud800"),
    "a wrong quantity": (written(9, items=[{"sku": "A", "quantity": 0, "unit_price": 1}]), "items.0.quantity: "),
    "other content": (
        written(1, customer="Other"),
        'other content. customer: Is "ACME Corp" in the order that is kept.',
    ),
}


@pytest.mark.parametrize(("element", "reason"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_an_order_is_dead_as_it_was_with_reason_and_time(queue, consuming, rows, element, reason):
    queue.push([written(1), element, written(2)])
    (dead,) = wait_for(lambda: queue.waiting() == 0 and queue.dead())
    assert dead.order == element
    assert reason in dead.reason
    assert dead.at.endswith("Z")
    assert sorted(kept(rows)) == [1, 2]


@pytest.mark.parametrize("where", [(consumers._schema, "load"), (service.intake, "take_in")], ids=["read", "stored"])
def test_an_element_that_makes_anything_fail_is_dead_alone(queue, consuming, rows, monkeypatch, where):
    whole = getattr(*where)

    def failing(given, **options):
        if "poison" in str(given):
            raise ArithmeticError("no such number")
        return whole(given, **options)

    monkeypatch.setattr(*where, failing)
    queue.push([written(1), written(2, customer="poison"), written(3)])
    (dead,) = wait_for(lambda: queue.waiting() == 0 and queue.dead())
    assert dead.reason == "ArithmeticError: no such number"
    assert sorted(kept(rows)) == [1, 3]


def test_a_consumer_outlives_any_error(queue, consuming, rows, monkeypatch):
    failures = iter([KeyError("x"), RuntimeError("y")])
    take = consuming._queue.take

    def failing(*arguments):
        for error in failures:
            raise error
        return take(*arguments)

    monkeypatch.setattr(consumers, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(consuming._queue, "take", failing)
    queue.push([written(1)])
    wait_for(lambda: kept(rows) == [1])


@pytest.mark.parametrize("foreign", [b"{", b"7", b'{"order": 7}', b"\xff", b"[" * 5_000])
def test_what_else_lies_among_the_dead_is_shown_and_requeued_as_it_is(queue, context, foreign):
    queue._redis.rpush("orderflow:orders:dead", foreign)
    (shown,) = deadletters.listing()["items"]
    assert shown["reason"].startswith("Was not put")
    assert deadletters.requeue() == 1
    assert queue._redis.lrange(queue.name, 0, -1) == [foreign]


def test_the_dead_are_listed_and_requeued_each_once(queue, app, context):
    cli = app.test_cli_runner()
    queue.push([b"{", b"\xff", b"{"])
    taken = queue.take("somebody", 3)
    queue.done("somebody", [(element, redislist.Dead.now(element, "no reason")) for element in taken])
    assert queue.waiting() == 0
    listed = cli.invoke(orders, ["dead"])
    assert "no reason" in listed.output
    assert "3 dead" in listed.output
    threads = [threading.Thread(target=queue.requeue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue._redis.lrange(queue.name, 0, -1) == [b"{", b"\xff", b"{"]
    assert queue.dead() == []
    assert "0 requeued" in cli.invoke(orders, ["requeue"]).output


def test_without_the_setting_the_commands_say_so(app, context):
    for command in ("consume", "dead", "requeue"):
        result = app.test_cli_runner().invoke(orders, [command])
        assert result.exit_code == 2
        assert "ORDER_QUEUE_REDIS_URL" in result.output


def test_what_a_consumer_took_that_is_gone_is_put_back_in_its_order(queue, monkeypatch):
    monkeypatch.setattr(redislist, "ALIVE_SECONDS", 1)
    queue.push([b"1", b"2", b"3"])
    assert queue.take("gone", 2) == [b"1", b"2"]
    assert queue.recover() == 0
    assert queue.waiting() == 3
    assert wait_for(queue.recover, 5) == 2
    assert queue.take("other", 10) == [b"1", b"2", b"3"]
    assert {each.decode() for each in queue._redis.smembers("orderflow:orders:consumers")} == {"other"}


def test_a_consumer_that_only_seemed_gone_removes_nothing_of_the_others_and_stays_known(queue):
    queue.push([b"1"])
    assert queue.take("slow", 1) == [b"1"]
    queue._redis.delete("orderflow:orders:alive:slow")
    assert queue.recover() == 1
    assert queue.take("other", 1) == [b"1"]
    queue.done("slow", [(b"1", redislist.Dead.now(b"1", "no reason"))])
    assert queue.waiting() == 1
    assert queue.dead() == []
    queue.take("slow", 1)
    queue._put_back("slow")
    assert queue._redis.sismember("orderflow:orders:consumers", "slow")


def test_the_list_waits_while_postgresql_is_away_and_nothing_dies(queue, consuming, rows, monkeypatch):
    from sqlalchemy.exc import OperationalError

    real, failures = service.submit_many, []

    def failing(given):
        failures.append(1)
        if len(failures) < 3:
            raise OperationalError("SELECT", {}, Exception("away"))
        return real(given)

    monkeypatch.setattr(service, "submit_many", failing)
    monkeypatch.setattr(consumers, "PAUSE_SECONDS", 0.05)
    queue.push([written(1), written(2)])
    wait_for(lambda: kept(rows) == [1, 2])
    wait_for(lambda: queue.waiting() == 0)
    assert len(failures) >= 3
    assert queue.dead() == []


@pytest.mark.processes
def test_a_consumer_process_that_is_told_to_stop_leaves_nothing_taken(committed, environment, queue, rows):
    settings = {**environment, "ORDER_QUEUE_REDIS_URL": environment["REDIS_URL"]}
    with running(settings, "flask", "--app", "wsgi", "orders", "consume") as process:
        queue.push([written(order_id) for order_id in range(1, 2_001)])
        wait_for(lambda: kept(rows))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert queue._redis.keys("orderflow:orders:taken:*") == []
    assert len(kept(rows)) + queue._redis.llen(queue.name) == 2_000


def test_the_same_seed_makes_the_same_orders_and_all_are_valid():
    one, same, other = (list(seeds.orders(300, seed, ["A", "B"])) for seed in (7, 7, 8))
    assert one == same != other
    assert len({order["id"] for order in one}) == 300
    assert all(OrderSubmitSchema().load(order) for order in one)
    assert len({len(order["items"]) for order in one}) > 5


@pytest.mark.processes
def test_seeded_orders_arrive_by_either_way(committed, environment, queue, rows):
    pushed = invoke(committed, ["seed", "--mode", "redis", "--count", "700", "--seed", "3"])
    assert (pushed.exit_code, "700 orders submitted (--seed 3)" in pushed.output) == (0, True)
    first = parse_json(queue._redis.lindex(queue.name, 0))
    assert queue._redis.llen(queue.name) == 700
    with served(environment) as url:
        sent = invoke(committed, ["seed", "--count", "50", "--seed", "3", "--url", url])
        assert (sent.exit_code, "50 orders submitted" in sent.output) == (0, True)
    assert len(kept(rows)) == 50
    assert first["id"] in kept(rows)


def test_a_seed_that_nobody_takes_exits_with_1_and_says_why(committed):
    result = invoke(committed, ["seed", "--count", "1", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert "does not answer" in result.output


def test_the_dead_are_shown_to_people_and_queued_again(context, queue):
    dead = redislist.Dead.now(b'{"id": "\xff"}', "The element is no UTF-8 text.")
    queue._redis.rpush("orderflow:orders:dead", dead.dump())
    found = deadletters.listing()
    assert (found["on"], found["total"]) == (True, 1)
    assert found["items"][0]["reason"] == "The element is no UTF-8 text."
    assert found["items"][0]["order"] == '{"id": "\\xff"}'
    assert "The element is no UTF-8 text." in context.test_client().get("/console/orders/dead").text
    assert deadletters.requeue() == 1
    assert deadletters.listing()["total"] == 0
    assert queue.waiting() == 1


def test_without_a_list_there_are_no_dead_to_show(context):
    assert deadletters.listing() == {"on": False, "total": 0, "items": []}
    with pytest.raises(Conflict):
        deadletters.requeue()


def test_with_the_lists_redis_away_the_dead_are_not_shown_as_none(context, monkeypatch):
    monkeypatch.setitem(context.config, "ORDER_QUEUE_REDIS_URL", "redis://127.0.0.1:1/0")
    for ask in (deadletters.listing, deadletters.requeue):
        with pytest.raises(Unavailable):
            ask()
