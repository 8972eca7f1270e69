"""From the transaction to the receiver and into the log, with a sender that really runs."""

import threading
import time

import pytest
import redis
from sqlalchemy.exc import OperationalError

from catalog.database import transaction
from catalog.webhooks import dispatch, leases, outbox, receivers, service, upkeep
from catalog.webhooks.shares import SHARE, UNPROVEN_SHARE
from tests.processes import wait_for
from tests.webhooks.receivers import Receiver, answer

STATUS = "SELECT status, count(*) AS count FROM webhook_deliveries GROUP BY status"


@pytest.fixture
def take(committed):
    """Lease what is due, as a sender does that then says no more."""

    def lease():
        with committed.app_context(), transaction() as session:
            return leases.lease(session, {one.webhook_id: 10 for one in leases.waiting(session)})

    return lease


def statuses(rows):
    return {row["status"]: row["count"] for row in rows(STATUS)}


def test_an_event_reaches_its_receiver_signed_and_is_recorded(sending, make_webhook, publish, receiver, rows):
    webhook = make_webhook(receiver.url, ["product.*"], secret="hush", headers={"X-Team": "warehouse"})
    with sending():
        publish(name="Lamp")
        request = receiver.wait(1)[0]
        wait_for(lambda: statuses(rows) == {"delivered": 1})
    assert request.body.startswith(b'{"id":"' + request.id.encode() + b'","event":"product.created","timestamp":"')
    assert request.body.endswith(b'"data":{"id":"0","name":"Lamp"}}')
    assert request.headers["x-webhook-signature"].startswith("sha256=")
    expected = {"x-webhook-event": "product.created", "x-team": "warehouse", "user-agent": "Catalog-Webhook/1.0"}
    assert expected.items() <= request.headers.items()
    (attempt,) = rows("SELECT * FROM webhook_attempts")
    assert (str(attempt["webhook_id"]), attempt["attempt"], attempt["status_code"]) == (str(webhook), 1, 200)
    assert (attempt["response_body"], attempt["error"], str(attempt["event_id"])) == ("ok", None, request.id)
    (counted,) = rows("SELECT success_count, failure_count, last_error, failing_since FROM webhooks")
    assert tuple(counted.values()) == (1, 0, None, None)


def test_only_those_who_subscribed_and_are_active_are_told(sending, make_webhook, publish, rows):
    with Receiver() as all_, Receiver() as products, Receiver() as imports, Receiver() as paused:
        make_webhook(all_.url, ["*"])
        make_webhook(products.url, ["product.created", "product.*"])
        make_webhook(imports.url, ["import.completed"])
        make_webhook(paused.url, ["*"], is_active=False)
        with sending():
            publish()
            all_.wait(1)
            products.wait(1)
            wait_for(lambda: statuses(rows) == {"delivered": 2})
        assert (len(products.requests), imports.requests, paused.requests) == (1, [], [])


def test_what_is_rolled_back_is_never_sent(sending, make_webhook, publish, committed, receiver, rows):
    make_webhook(receiver.url)
    with sending():
        with pytest.raises(ZeroDivisionError), committed.app_context(), transaction():
            service.publish("product.created", {"id": "phantom"})
            raise ZeroDivisionError
        publish()
        receiver.wait(1)
        wait_for(lambda: statuses(rows) == {"delivered": 1})
    assert b"phantom" not in receiver.requests[0].body
    assert len(rows("SELECT FROM webhook_events")) == 1


def test_deliveries_go_out_while_redis_is_away(sending, make_webhook, publish, receiver, monkeypatch):
    def away(*_, **__):
        raise redis.ConnectionError("Redis is away")

    monkeypatch.setattr(redis.Redis, "execute_command", away)
    make_webhook(receiver.url)
    with sending():
        publish()
        receiver.wait(1, 2)


def test_what_was_not_rung_for_is_found(sending, make_webhook, publish, receiver, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda _: None)
    make_webhook(receiver.url)
    with sending():
        publish()
        receiver.wait(1, 3)


def test_a_failure_is_retried_with_the_same_id_and_the_same_bytes(sending, make_webhook, publish, rows):
    with Receiver(answer(500, b"broken")) as receiver:
        make_webhook(receiver.url, secret="hush")
        with sending():
            publish()
            receiver.wait(1)
            wait_for(lambda: rows("SELECT FROM webhook_attempts"))
            (waiting,) = rows("SELECT status, extract(epoch FROM due_at - now()) AS wait FROM webhook_deliveries")
            assert waiting["status"] == "pending"
            assert 0.5 < waiting["wait"] < 2.5
            receiver.behave = answer(200)
            first, second = receiver.wait(2)[:2]
            wait_for(lambda: statuses(rows) == {"delivered": 1})
    assert (first.id, first.body) == (second.id, second.body)
    logged = rows("SELECT attempt, status_code, response_body, error FROM webhook_attempts ORDER BY id")
    assert [tuple(row.values()) for row in logged] == [(1, 500, "broken", "HTTP 500"), (2, 200, "", None)]


def test_retry_after_puts_the_next_attempt_off(sending, make_webhook, publish, rows):
    with Receiver(answer(429, retry_after="600")) as receiver:
        make_webhook(receiver.url)
        with sending():
            publish()
            wait_for(lambda: rows("SELECT FROM webhook_attempts"))
    (waiting,) = rows("SELECT extract(epoch FROM due_at - now()) AS wait FROM webhook_deliveries")
    assert 590 < waiting["wait"] <= 600


def test_410_disables_the_webhook_and_others_hear_of_it(sending, make_webhook, publish, receiver, rows):
    with Receiver(answer(410)) as gone:
        webhook = make_webhook(gone.url, ["product.*"])
        make_webhook(receiver.url, ["webhook.disabled"])
        with sending():
            publish()
            request = receiver.wait(1)[0]
            publish()
        assert len(gone.requests) == 1
    assert f'"id":"{webhook}"'.encode() in request.body
    assert b"410 Gone" in request.body
    assert rows("SELECT is_active FROM webhooks WHERE id = :id", id=webhook) == [{"is_active": False}]


@pytest.mark.parametrize(("days", "active"), [("4.9", True), ("5.1", False)])
def test_five_days_of_failures_disable(sending, make_webhook, publish, rows, days, active):
    with Receiver(answer(500)) as receiver:
        make_webhook(receiver.url)
        rows(f"UPDATE webhooks SET failing_since = now() - interval '{days} days'")
        with sending():
            publish()
            wait_for(lambda: rows("SELECT FROM webhook_attempts"))
    assert rows("SELECT is_active FROM webhooks") == [{"is_active": active}]


def test_a_delivery_that_is_out_of_retries_has_failed(sending, make_webhook, publish, rows):
    with Receiver(answer(500)) as receiver:
        make_webhook(receiver.url, retry_count=0, durable=False)
        with sending():
            publish()
            wait_for(lambda: statuses(rows) == {"failed": 1})


def test_a_dead_receiver_with_a_backlog_takes_no_more_than_its_share(sending, make_webhook, publish, receiver, rows):
    def silent(connection, _):
        connection.recv(1)

    with Receiver(silent) as dead:
        webhook = make_webhook(dead.url, timeout_seconds=30)
        publish(200)
        make_webhook(receiver.url)
        with sending():
            dead.wait(UNPROVEN_SHARE)
            began = time.monotonic()
            publish(50)
            receiver.wait(50)
            assert time.monotonic() - began < 15  # half of what the dead one is waited for
            query = "SELECT FROM webhook_deliveries WHERE lease_until > now() AND webhook_id = :id"
            assert (len(dead.requests), len(rows(query, id=webhook))) == (UNPROVEN_SHARE, UNPROVEN_SHARE)


def test_a_receiver_that_answered_and_falls_silent_takes_no_more_than_its_share(
    sending, make_webhook, publish, receiver, rows
):
    def silent(connection, _):
        connection.recv(1)

    with Receiver() as fickle:
        webhook = make_webhook(fickle.url, timeout_seconds=30)
        with sending():
            publish()
            wait_for(lambda: statuses(rows) == {"delivered": 1})
            fickle.behave = silent
            publish(200)
            fickle.wait(1 + SHARE)
            make_webhook(receiver.url)
            publish(50)
            receiver.wait(50)
            query = "SELECT FROM webhook_deliveries WHERE lease_until > now() AND webhook_id = :id"
            assert (len(fickle.requests), len(rows(query, id=webhook))) == (1 + SHARE, SHARE)


def test_silent_receivers_of_one_key_leave_slots_for_all_others(sending, make_webhook, publish, receiver):
    """As many silent receivers as a key may have, each with a backlog; a new one of the same key gets what is its."""
    with Receiver(lambda connection, _: connection.recv(1)) as silent:
        for number in range(99):
            make_webhook(f"{silent.url}/{number}", ["import.completed"], timeout_seconds=60)
        with sending():
            publish(3, event="import.completed")
            silent.wait(99, 30)
            make_webhook(receiver.url, ["product.created"])
            for number in range(20):
                publish()
                receiver.wait(number + 1, 30)
        assert len(silent.requests) == 99


def test_two_senders_share_the_work_and_send_nothing_twice(sending, make_webhook, publish, receiver, rows):
    make_webhook(receiver.url)
    publish(300)
    with sending(), sending():
        receiver.wait(300)
        wait_for(lambda: statuses(rows) == {"delivered": 300})
    assert len({request.id for request in receiver.requests}) == len(receiver.requests) == 300


def test_a_sender_that_was_killed_is_replaced_once_its_leases_end(
    sending, make_webhook, publish, committed, receiver, rows
):
    make_webhook(receiver.url)
    publish(5)
    with committed.app_context(), transaction() as session:
        assert (
            len(leases.lease(session, {one.webhook_id: 10 for one in leases.waiting(session)})) == 5
        )  # never attempted
    with sending():
        publish()
        receiver.wait(1)
        wait_for(lambda: statuses(rows) == {"delivered": 1, "pending": 5})
        rows("UPDATE webhook_deliveries SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
        receiver.wait(6)
        wait_for(lambda: statuses(rows) == {"delivered": 6})


def test_a_result_under_a_lost_lease_is_logged_and_settles_nothing(make_webhook, publish, take, committed, rows):
    make_webhook("http://127.0.0.1:9/")
    publish()
    (old,) = take()
    rows("UPDATE webhook_deliveries SET lease_until = now() - interval '1 second'")
    (new,) = take()
    assert new.token != old.token
    with committed.app_context(), transaction() as session:
        leases.record(session, [result(old, error=None)])
    assert statuses(rows) == {"pending": 1}
    assert len(rows("SELECT FROM webhook_attempts")) == 1


@pytest.mark.parametrize(("counter", "error"), [("success_count", None), ("failure_count", "refused")])
def test_a_counter_stops_at_the_largest_number_that_it_holds(
    make_webhook, publish, take, committed, rows, counter, error
):
    make_webhook("http://127.0.0.1:9/")
    rows(f"UPDATE webhooks SET {counter} = {leases.MAX_COUNT}")
    publish()
    with committed.app_context(), transaction() as session:
        leases.record(session, [result(each, error=error) for each in take()])
    assert rows(f"SELECT {counter} AS count FROM webhooks") == [{"count": leases.MAX_COUNT}]
    assert statuses(rows) == {"failed" if error else "delivered": 1}


def result(leased, **fields):
    return {
        "delivery_id": leased.delivery_id,
        "webhook_id": leased.webhook_id,
        "event_id": leased.event_id,
        "token": leased.token,
        "event": "product.created",
        "attempt": 1,
        "status_code": 200,
        "response_body": "",
        "response_time_ms": 1,
        "retry_in": None,
        "gone": False,
        **fields,
    }


def test_a_webhook_that_is_deleted_on_the_way_stops_nobody(sending, make_webhook, publish, committed, receiver, rows):
    gone = make_webhook("http://127.0.0.1:9/")
    publish()
    make_webhook(receiver.url)
    with committed.app_context():
        service.delete(gone)
    with sending():
        publish()
        receiver.wait(1)


def test_a_secret_that_no_key_opens_is_an_error_in_the_log_and_nothing_goes_out_unsigned(
    sending, make_webhook, publish, receiver, rows
):
    make_webhook(receiver.url, secret="hush")
    rows("UPDATE webhooks SET secret = 'nonsense'")
    with sending():
        publish()
        wait_for(lambda: rows("SELECT FROM webhook_attempts"))
    assert "cannot be decrypted" in rows("SELECT error FROM webhook_attempts")[0]["error"]
    assert receiver.requests == []


def test_a_secret_rotated_between_retries_signs_the_retry(sending, make_webhook, publish, committed, rows):
    with Receiver(answer(500)) as receiver:
        webhook = make_webhook(receiver.url, secret="old")
        with sending():
            publish()
            receiver.wait(1)
            with committed.app_context():
                service.rotate_secret(webhook, "new")
            receiver.behave = answer(200)
            second = receiver.wait(2)[1]
    assert len(second.headers["webhook-signature"].split()) == 2
    assert "x-webhook-signature-previous" in second.headers


def test_stopping_lets_what_is_under_way_end_and_gives_the_rest_back(sending, make_webhook, publish, rows):
    def slow(connection, _):
        time.sleep(0.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Receiver(slow) as receiver:
        make_webhook(receiver.url)
        with sending():
            publish(3)
            receiver.wait(3)
    assert statuses(rows) == {"delivered": 3}
    assert rows("SELECT FROM webhook_deliveries WHERE lease_token IS NOT NULL") == []


def test_results_are_kept_while_the_database_is_away(sending, make_webhook, publish, receiver, rows, monkeypatch):
    real, failures = leases.record, iter([True, True])

    def flaky(connection, results):
        if next(failures, False):
            raise OperationalError("INSERT", {}, Exception("the server closed the connection"))
        real(connection, results)

    monkeypatch.setattr(leases, "record", flaky)
    make_webhook(receiver.url)
    with sending():
        publish()
        wait_for(lambda: statuses(rows) == {"delivered": 1})
    assert len(receiver.requests) == 1


def test_while_a_sender_runs_the_clock_leaves_a_dead_receivers_backlog_to_it(
    committed, sending, make_webhook, publish, rows, monkeypatch
):
    bells = []
    monkeypatch.setattr(upkeep.jobqueue, "ring", lambda function, *args, queue_name: bells.append(function))
    with Receiver(lambda connection, _: connection.recv(1)) as dead:
        make_webhook(dead.url, timeout_seconds=30)
        publish(2 * UNPROVEN_SHARE)
        rows("UPDATE webhook_deliveries SET due_at = now() - interval '20 seconds'")
        with sending():
            dead.wait(UNPROVEN_SHARE)
            with committed.app_context():
                upkeep.sweep()
    assert bells == []


def test_without_a_sender_the_clock_rings_and_a_job_sends(
    committed, make_webhook, publish, receiver, rows, monkeypatch
):
    bells = []
    monkeypatch.setattr(upkeep.jobqueue, "ring", lambda function, *args, queue_name: bells.append(function))
    make_webhook(receiver.url)
    publish(3)
    with committed.app_context():
        upkeep.sweep()
        assert bells == []
        rows("UPDATE webhook_deliveries SET due_at = now() - interval '20 seconds'")
        upkeep.sweep()
    assert bells == [upkeep.JOB]
    dispatch.run(committed, until_idle=True)
    assert (len(receiver.requests), statuses(rows)) == (3, {"delivered": 3})


def test_events_of_a_query_are_written_at_once(committed, make_webhook, sending, receiver, rows):
    make_webhook(receiver.url)
    query = (
        "SELECT json_build_object('id', n, 'sku', repeat('x', n)) AS data FROM generate_series(65500, 65600, 100) AS n"
    )
    with sending():
        with committed.app_context(), transaction() as session:
            assert service.publish_rows(session, "product.created", query, {}) == 2
            outbox.ring(session)
        receiver.wait(2)
    bodies = sorted(len(request.body) for request in receiver.requests)
    assert bodies[1] > 65_000
    assert [row["t"] for row in rows("SELECT data ->> 'truncated' AS t FROM webhook_events ORDER BY id")] == [
        None,
        "true",
    ]


def test_the_dispatcher_starts_without_a_database_and_begins_when_it_is_back(
    committed, make_webhook, publish, receiver
):
    make_webhook(receiver.url)
    publish()
    with committed.app_context():
        dispatcher = dispatch.Dispatcher(committed, receivers.new_sender())
    tries = iter([True])
    serve = dispatcher._serve

    def at_first_away(connection):
        if next(tries, False):
            raise OperationalError("SELECT", {}, Exception("away"))
        serve(connection)

    dispatcher._serve = at_first_away
    thread = threading.Thread(target=dispatcher.run)
    thread.start()
    receiver.wait(1, 5)
    dispatcher.stop()
    thread.join(10)
