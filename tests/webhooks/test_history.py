"""Deliveries, filtered: of one webhook and of all; and how many a replay of what is filtered would send."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from catalog.errors import NotFound
from catalog.extensions import db
from catalog.webhooks import history, jobs, replay, service
from catalog.webhooks.history_schemas import DeliveryQuerySchema

DELIVERY = text("""
    WITH event AS (
        INSERT INTO webhook_events (id, name, data, created_at)
        VALUES (uuidv7(-CAST(:ago AS interval)), :name, '{}', now() - CAST(:ago AS interval)) RETURNING id
    )
    INSERT INTO webhook_deliveries (id, webhook_id, event_id, status)
    SELECT uuidv7(-CAST(:ago AS interval)), :webhook, id, :status FROM event
""")


@pytest.fixture
def hooks(context):
    """Two webhooks; the first was told of three products and one order, the second of one product."""
    one, two = (service.create({"url": f"https://8.8.8.8/{name}", "events": ["*"]}).id for name in ("a", "b"))
    told = [
        (one, "5 hours", "product.created", "delivered"),
        (one, "3 hours", "product.created", "failed"),
        (one, "2 hours", "product.updated", "failed"),
        (one, "1 hour", "order.processed", "pending"),
        (two, "4 hours", "product.created", "failed"),
    ]
    for webhook, ago, name, status in told:
        db.session.execute(DELIVERY, {"webhook": webhook, "ago": ago, "name": name, "status": status})
    return one, two


def query(**given):
    return {**DeliveryQuerySchema().load({}), **given}


def hours_ago(number):
    return datetime.now(UTC) - timedelta(hours=number)


def shown(page):
    return [(one.event, one.status) for one in page["items"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["pending", "failed", "failed", "delivered"]),
        ({"status": "failed"}, ["failed", "failed"]),
        ({"status": "failed", "event": "product.created"}, ["failed"]),
        ({"since": 2.5}, ["pending", "failed"]),
        ({"until": 2.5}, ["failed", "delivered"]),
        ({"since": 3.5, "until": 2.5, "status": "failed"}, ["failed"]),
    ],
)
def test_deliveries_are_filtered_by_state_event_and_time_for_one_and_for_all(hooks, filters, expected):
    moments = {name: hours_ago(filters[name]) for name in ("since", "until") if name in filters}
    asked = query(**{**filters, **moments})
    assert [status for _, status in shown(history.deliveries(hooks[0], asked))] == expected
    assert [status for _, status in shown(history.all_deliveries({**asked, "webhook_id": hooks[0]}))] == expected


def test_all_deliveries_go_page_by_page_the_latest_first_each_with_its_webhook(hooks):
    found, cursor = [], {}
    while True:
        page = history.all_deliveries(query(limit=2, **cursor))
        found += [(one.event, one.url) for one in page["items"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [url for _, url in found] == [f"https://8.8.8.8/{name}" for name in "aaaba"]
    assert found[0][0] == "order.processed"


def test_of_a_webhook_that_is_gone_its_deliveries_are_shown_without_it(hooks):
    service.delete(hooks[1])
    assert None in [one.url for one in history.all_deliveries(query())["items"]]


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({"status": "failed"}, 2),
        ({"status": "failed", "event": "product.updated"}, 1),
        ({"status": "delivered"}, 1),
        ({"status": "failed", "since": 2.5}, 1),
        ({"status": "failed", "until": 2.5}, 1),
        ({}, 5),
        ({"event": "product.created"}, 3),
    ],
)
def test_what_a_replay_would_send_is_what_it_then_queues(hooks, filters, number):
    moments = {name: hours_ago(filters[name]) for name in ("since", "until") if name in filters}
    asked = {**filters, **moments}
    assert replay.count(hooks[0], asked) == number
    requested = replay.request(hooks[0], asked)
    jobs.replay(str(requested.id))
    waiting = 1 if "status" not in filters and "event" not in filters else 0  # it is queued already
    assert replay.status(requested.id).queued == number - waiting


def test_a_delivery_alone_has_its_events_name_and_its_webhook(hooks):
    (newest, *_) = history.deliveries(hooks[0], query())["items"]
    found = history.delivery(newest.id)
    assert (found.event, found.url) == ("order.processed", "https://8.8.8.8/a")
    with pytest.raises(NotFound):
        history.delivery(uuid.uuid4())


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_no_id_could_have_is_a_time_all_the_same(client, moment):
    url = "/api/v1/webhooks"
    made = client.post(url, json={"url": "https://8.8.8.8/a", "events": ["*"]}).json
    for name in ("since", "until"):
        answer = client.get(f"{url}/{made['id']}/deliveries", query_string={name: moment})
        assert (answer.status_code, answer.json["items"]) == (200, [])
