"""The API of webhooks: what it takes, refuses, shows and never shows."""

import json
import logging
import uuid

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook as Official

from catalog import encryption
from catalog.webhooks import jobs, replay, upkeep
from catalog.webhooks.events import EVENTS
from tests.webhooks.receivers import Receiver, answer

URL = "/api/v1/webhooks"
HOOK = {"url": "https://8.8.8.8/hook", "events": ["product.*"]}
CANARY = "canary-4fd1c3"


@pytest.fixture
def hook(client):
    """A webhook, as the API answered it."""
    return client.post(URL, json={**HOOK, "secret": CANARY}).json


def test_a_webhook_is_created_with_its_defaults(client):
    created = client.post(URL, json=HOOK)
    assert created.status_code == 201
    assert created.headers["Location"] == f"{URL}/{created.json['id']}"
    expected = {
        **HOOK,
        "is_active": True,
        "has_secret": False,
        "description": None,
        "headers": {},
        "retry_count": 3,
        "timeout_seconds": 30,
        "durable": True,
        "last_triggered_at": None,
        "last_error": None,
        "success_count": 0,
        "failure_count": 0,
    }
    assert expected.items() <= created.json.items()
    assert client.get(created.headers["Location"]).json == created.json


def test_put_changes_only_the_given_fields(client, hook):
    changed = client.put(f"{URL}/{hook['id']}", json={"is_active": False, "headers": {"X-A": "1"}}).json
    assert (changed["is_active"], changed["headers"]) == (False, {"X-A": "1"})
    assert (changed["url"], changed["has_secret"]) == (hook["url"], True)
    assert client.put(f"{URL}/{hook['id']}", json={"secret": None}).json["has_secret"] is False


def test_a_deleted_webhook_is_gone(client, hook):
    assert client.delete(f"{URL}/{hook['id']}").status_code == 204
    for path in ("", "/logs", "/deliveries"):
        assert client.get(f"{URL}/{hook['id']}{path}").status_code == 404
    assert client.delete(f"{URL}/{hook['id']}").status_code == 404


def test_the_list_pages(client):
    ids = [client.post(URL, json=HOOK).json["id"] for _ in range(3)]
    page = client.get(f"{URL}?limit=2&offset=1").json
    assert [item["id"] for item in page["items"]] == ids[1:]
    assert (page["total"], page["limit"], page["offset"], page["has_more"]) == (3, 2, 1, False)


BAD = {
    "no url": ({"events": ["*"]}, "url"),
    "no events": ({"url": HOOK["url"]}, "events"),
    "empty events": ({**HOOK, "events": []}, "events"),
    "unknown event": ({**HOOK, "events": ["product.exploded"]}, "events.0"),
    "unknown family": ({**HOOK, "events": ["*", "prod*"]}, "events.1"),
    "unknown field": ({**HOOK, "colour": "red"}, "colour"),
    "text for a boolean": ({**HOOK, "is_active": "yes"}, "is_active"),
    "too many retries": ({**HOOK, "retry_count": 11}, "retry_count"),
    "no timeout": ({**HOOK, "timeout_seconds": 0}, "timeout_seconds"),
    "a long url": ({**HOOK, "url": "https://example.com/" + "x" * 500}, "url"),
    "NUL in the description": ({**HOOK, "description": "a\x00b"}, "description"),
    "an empty secret": ({**HOOK, "secret": ""}, "secret"),
    "a whsec that is no base64": ({**HOOK, "secret": "whsec_%%%"}, "secret"),
    "a line break in a header name": ({**HOOK, "headers": {"X-A\r\nX-B": "1"}}, "headers.X-A\r\nX-B"),
    "a line break in a header value": ({**HOOK, "headers": {"X-A": "1\r\nX-B: 2"}}, "headers.X-A"),
    "our signature": ({**HOOK, "headers": {"x-webhook-signature": "1"}}, "headers.x-webhook-signature"),
    "the standard id": ({**HOOK, "headers": {"Webhook-Id": "1"}}, "headers.Webhook-Id"),
    "the content type": ({**HOOK, "headers": {"content-TYPE": "text/plain"}}, "headers.content-TYPE"),
    "the host": ({**HOOK, "headers": {"Host": "internal"}}, "headers.Host"),
    "a framing header": ({**HOOK, "headers": {"Transfer-Encoding": "chunked"}}, "headers.Transfer-Encoding"),
    "a number as a header": ({**HOOK, "headers": {"X-A": 1}}, "headers.X-A.value"),
    "a header twice": ({**HOOK, "headers": {"X-A": "1", "x-a": "2"}}, "headers"),
    "too many headers": ({**HOOK, "headers": {f"X-{n}": "1" for n in range(21)}}, "headers"),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_refused_and_the_field_named(client, body):
    refused = client.post(URL, json=body[0])
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, body[1])


def test_an_unknown_event_is_answered_with_the_known_ones(client):
    message = client.post(URL, json={**HOOK, "events": ["x"]}).json["errors"][0]["message"]
    assert all(event in message for event in EVENTS)


def test_a_secret_is_never_shown_logged_or_stored_in_the_clear(client, hook, rows_here, caplog):
    caplog.set_level(logging.DEBUG)
    answers = [client.get(f"{URL}/{hook['id']}").text, client.get(URL).text, client.get(f"{URL}/stats").text]
    with Receiver() as receiver:
        client.put(f"{URL}/{hook['id']}", json={"url": receiver.url})
        answers.append(client.post(f"{URL}/{hook['id']}/test", json={}).text)
    answers.append(client.get(f"{URL}/{hook['id']}/logs").text)
    answers.append(client.post(f"{URL}/{hook['id']}/rotate-secret", json={"secret": CANARY + "2"}).text)
    answers.append(client.post(URL, json={**HOOK, "secret": CANARY, "colour": 1}).text)
    for table in ("webhooks", "webhook_events", "webhook_attempts"):
        answers.append(str(rows_here(f"SELECT * FROM {table}")))
    assert CANARY not in "".join(answers) + caplog.text
    assert CANARY.encode() not in bytes(rows_here("SELECT secret FROM webhooks")[0][0])


def test_a_rotation_makes_a_secret_up_and_shows_it_once(client, hook):
    rotated = client.post(f"{URL}/{hook['id']}/rotate-secret").json
    assert rotated["previous_valid_until"] > rotated["webhook"]["updated_at"]
    with Receiver() as receiver:
        client.put(f"{URL}/{hook['id']}", json={"url": receiver.url})
        client.post(f"{URL}/{hook['id']}/test", json={"payload": {"n": 1}})
        request = receiver.wait(1)[0]
    assert Official(rotated["secret"]).verify(request.body, request.headers)["data"] == {"n": 1}
    assert rotated["secret"] not in client.get(f"{URL}/{hook['id']}").text


def test_the_old_secret_signs_no_more_after_a_day(client, hook, rows_here):
    client.post(f"{URL}/{hook['id']}/rotate-secret")
    rows_here("UPDATE webhooks SET previous_secret_until = now() - interval '1 second' RETURNING id")
    with Receiver() as receiver:
        client.put(f"{URL}/{hook['id']}", json={"url": receiver.url})
        client.post(f"{URL}/{hook['id']}/test", json={})
        assert len(receiver.wait(1)[0].headers["webhook-signature"].split()) == 1


@pytest.mark.parametrize(("status", "success", "error"), [(204, True, None), (503, False, "HTTP 503")])
def test_a_test_is_sent_at_once_and_once_and_logged(client, hook, status, success, error):
    with Receiver(answer(status, b"")) as receiver:
        client.put(f"{URL}/{hook['id']}", json={"url": receiver.url})
        tested = client.post(f"{URL}/{hook['id']}/test", json={"event": "product.deleted", "payload": {"id": "7"}})
        request = receiver.wait(1)[0]
    assert tested.status_code == 200
    got = {name: tested.json[name] for name in ("success", "status_code", "response_body", "error")}
    assert got == {"success": success, "status_code": status, "response_body": "", "error": error}
    assert isinstance(tested.json["response_time_ms"], int)
    assert json.loads(request.body)["data"] == {"id": "7"}
    (logged,) = client.get(f"{URL}/{hook['id']}/logs").json["items"]
    assert (logged["event"], logged["payload"], logged["attempt"]) == ("product.deleted", {"id": "7"}, 1)
    assert (logged["status_code"], logged["error"]) == (status, error)
    (delivery,) = client.get(f"{URL}/{hook['id']}/deliveries").json["items"]
    assert (delivery["status"], delivery["next_attempt_at"]) == ("delivered" if success else "failed", None)


def test_a_test_of_a_receiver_that_is_away_says_so(client, hook):
    client.put(f"{URL}/{hook['id']}", json={"url": "http://127.0.0.1:9/"})
    tested = client.post(f"{URL}/{hook['id']}/test", json={}).json
    assert (tested["success"], tested["status_code"]) == (False, None)
    assert "connect" in tested["error"]


@pytest.fixture
def logged(client, hook, rows_here):
    """Thirty attempts, every third one a failure."""
    rows_here(
        "INSERT INTO webhook_attempts (webhook_id, delivery_id, event_id, event, attempt, status_code,"
        " response_time_ms, error, created_at) SELECT :id, uuidv7(), uuidv7(),"
        " CASE WHEN n % 2 = 0 THEN 'product.created' ELSE 'product.deleted' END, 1,"
        " CASE WHEN n % 3 = 0 THEN 500 ELSE 200 END, n, CASE WHEN n % 3 = 0 THEN 'HTTP 500' END,"
        " now() - make_interval(hours => 30 - n) FROM generate_series(1, 30) AS n RETURNING id",
        id=hook["id"],
    )
    return f"{URL}/{hook['id']}/logs"


def test_the_log_pages_by_cursor_without_gaps_or_doubles(client, logged):
    seen, cursor = [], ""
    while True:
        page = client.get(f"{logged}?limit=7{cursor}").json
        seen += [item["id"] for item in page["items"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (len(seen), seen) == (30, sorted(set(seen), reverse=True))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("event=product.created", 15),
        ("success=false", 10),
        ("success=true", 20),
        ("status_code=500", 10),
        ("success=false&event=product.created", 5),
        ("delivery_id=00000000-0000-7000-8000-000000000000", 0),
        ("since=2000-01-01T00:00:00Z", 30),
        ("since=2000-01-01T00:00:00-19:10", 30),  # PostgreSQL itself takes offsets below 16 hours
        ("until=2000-01-01", 0),
    ],
)
def test_the_log_filters(client, logged, query, count):
    assert len(client.get(f"{logged}?limit=100&{query}").json["items"]) == count


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=-1", "event=x", "since=yesterday", "page=2"])
def test_a_bad_filter_is_refused(client, logged, query):
    assert client.get(f"{logged}?{query}").status_code == 400


def test_stats_tell_rates_and_percentiles(client, hook, rows_here):
    rows_here(
        "INSERT INTO webhook_attempts (webhook_id, delivery_id, event_id, event, attempt, response_time_ms, error)"
        " SELECT :id, uuidv7(), uuidv7(), 'product.created', 1, n, CASE WHEN n > 90 THEN 'HTTP 500' END"
        " FROM generate_series(1, 100) AS n RETURNING id",
        id=hook["id"],
    )
    stats = client.get(f"{URL}/stats").json
    (figures,) = stats["webhooks"]
    assert (stats["attempts"], stats["success_rate"]) == (100, 90.0)
    assert (figures["p50_ms"], figures["p95_ms"], figures["failures"]) == (50.5, 95.05, 10)


def test_a_failed_delivery_is_due_again_when_asked(client, hook, rows_here):
    client.post("/api/v1/products", json={"name": "Lamp"})
    path = f"{URL}/{hook['id']}/deliveries"
    delivery = client.get(path).json["items"][0]
    rows_here("UPDATE webhook_deliveries SET status = 'failed', attempts = 9, due_at = NULL RETURNING id")
    again = client.post(f"{URL}/deliveries/{delivery['id']}/retry")
    assert (again.status_code, again.json["status"], again.json["attempts"]) == (202, "pending", 0)
    assert again.json["event"] == "product.created"
    assert again.json["next_attempt_at"]
    (written,) = client.get("/api/v1/audit?entity=delivery").json["items"]
    assert (written["action"], written["entity_id"]) == ("retry", delivery["id"])
    client.put(f"{URL}/{hook['id']}", json={"is_active": False})
    assert client.post(f"{URL}/deliveries/{delivery['id']}/retry").status_code == 409
    assert client.post(f"{URL}/deliveries/{uuid.uuid4()}/retry").status_code == 404


@pytest.fixture
def replayed(client, hook, rows_here):
    """Replay with the given filters, carry the job out, and return how many deliveries that made due."""

    def run(**filters):
        asked = client.post(f"{URL}/{hook['id']}/replay", json=filters)
        assert (asked.status_code, asked.json["status"]) == (202, "submitted")
        jobs.replay(asked.json["task_id"])
        jobs.replay(asked.json["task_id"])  # twice is as good as once
        status = client.get(asked.headers["Location"]).json
        assert status["status"] == "completed"
        written = client.get(f"/api/v1/audit?entity=webhook&action=replay&id={hook['id']}").json["items"][0]
        assert written["after"]["replay_id"] == asked.json["task_id"]
        return status["queued"]

    return run


def test_a_replay_makes_past_deliveries_due_again_with_their_old_ids(client, hook, rows_here, replayed, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK", 2)
    product = client.post("/api/v1/products", json={"name": "Lamp"}).json
    for price in range(1, 5):
        client.patch(f"/api/v1/products/{product['id']}", json={"price": price})
    events = rows_here("SELECT event_id FROM webhook_deliveries ORDER BY event_id")
    rows_here("UPDATE webhook_deliveries SET status = 'delivered' WHERE status = 'pending' RETURNING id")
    assert replayed(status="failed") == 0
    assert replayed(event="product.created") == 1
    rows_here("UPDATE webhook_deliveries SET status = 'failed', attempts = 9 RETURNING id")
    assert replayed(status="failed", event="product.updated") == 4
    rows_here("UPDATE webhook_deliveries SET status = 'delivered' RETURNING id")
    assert replayed(until="2020-01-01T00:00:00Z") == 0
    assert replayed(since="2020-01-01T00:00:00Z") == 5
    assert replayed(since="4405-06-15T19:07:11.5+16:27") == 0
    assert rows_here("SELECT event_id FROM webhook_deliveries ORDER BY event_id") == events


def test_a_replay_also_sends_what_the_webhook_missed(client, rows_here, hook, replayed):
    client.put(f"{URL}/{hook['id']}", json={"is_active": False})
    client.post("/api/v1/products", json={"name": "Lamp"})
    assert client.post(f"{URL}/{hook['id']}/replay", json={}).status_code == 409
    client.put(f"{URL}/{hook['id']}", json={"is_active": True})
    assert rows_here("SELECT FROM webhook_deliveries") == []
    assert replayed() == 1


def test_a_test_is_never_replayed_to_anyone(client, hook, rows_here, replayed):
    client.post(f"{URL}/{hook['id']}/test", json={})
    rows_here("DELETE FROM webhook_deliveries RETURNING id")
    assert replayed() == 0


def test_pruning_takes_what_is_old_and_nothing_that_is_waiting(client, hook, rows_here, context, monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 2)
    old = "uuidv7(interval '-40 days')"
    for status, active in (("delivered", ":id"), ("failed", ":id"), ("pending", ":id"), ("pending", "uuidv7()")):
        rows_here(
            "INSERT INTO webhook_deliveries (id, webhook_id, event_id, status, queued_at)"
            f" VALUES ({old}, {active}, uuidv7(), '{status}', now() - interval '40 days') RETURNING id",
            **({"id": hook["id"]} if active == ":id" else {}),
        )
    for _ in range(5):
        rows_here(f"INSERT INTO webhook_events (id, name, data) VALUES ({old}, 'product.created', '{{}}') RETURNING id")
    rows_here("INSERT INTO webhook_events (name, data) VALUES ('product.created', '{}') RETURNING id")
    assert upkeep.prune() == 3 + 5
    assert rows_here("SELECT status FROM webhook_deliveries") == [("pending",)]
    assert len(rows_here("SELECT FROM webhook_events")) == 1


@pytest.fixture
def rows_here(context):
    """Run SQL in the test's own transaction and return the rows."""
    from sqlalchemy import text

    from catalog.extensions import db

    def run(statement, **values):
        return [tuple(row) for row in db.session.execute(text(statement), values)]

    return run


def test_keys_can_be_changed_one_after_the_other(app, monkeypatch):
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with app.app_context():
        monkeypatch.setitem(app.config, "ENCRYPTION_KEYS", [first])
        stored = encryption.encrypt("hush")
        monkeypatch.setitem(app.config, "ENCRYPTION_KEYS", [second, first])
        assert encryption.decrypt(stored) == "hush"
        monkeypatch.setitem(app.config, "ENCRYPTION_KEYS", [second])
        with pytest.raises(encryption.Undecryptable):
            encryption.decrypt(stored)


def test_in_development_the_key_is_made_once_and_only_we_may_read_it(app, monkeypatch, tmp_path):
    with app.app_context():
        monkeypatch.setitem(app.config, "DATA_DIR", tmp_path / "new")
        stored = encryption.encrypt("hush")
        assert encryption.decrypt(stored) == "hush"
    (key,) = (tmp_path / "new").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_key_has_a_bounded_number_of_webhooks_and_gets_room_by_deleting(app, client, monkeypatch):
    monkeypatch.setitem(app.config, "WEBHOOKS_PER_KEY", 2)
    made = [client.post(URL, json=HOOK) for _ in range(2)]
    refused = client.post(URL, json=HOOK)
    assert [answer.status_code for answer in made] == [201, 201]
    assert (refused.status_code, refused.json["code"]) == (409, "quota_exceeded")
    mutation = 'mutation { createWebhook(url: "https://8.8.8.8/", events: ["*"]) { webhook { id } } }'
    by_graphql = client.post("/graphql", json={"query": mutation}).json
    assert by_graphql["errors"][0]["extensions"]["code"].lower() == "quota_exceeded"
    assert client.get(URL).json["total"] == 2
    client.delete(f"{URL}/{made[0].json['id']}")
    assert client.post(URL, json=HOOK).status_code == 201
