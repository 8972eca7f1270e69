"""The last day hour by hour."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from catalog.extensions import db
from catalog.webhooks import activity
from tests.factories import make_product

ATTEMPT = text("""
    INSERT INTO webhook_attempts (id, webhook_id, delivery_id, event_id, event, attempt, response_time_ms, error)
    SELECT uuidv7(CAST(:ago AS interval)), CAST(:webhook AS uuid), uuidv7(), uuidv7(), 'product.created', 1, ms, error
    FROM (VALUES (10, NULL), (20, NULL), (30, 'broken')) AS attempts (ms, error)
""")
WEBHOOK = "01890000-0000-7000-8000-000000000001"


def test_attempts_and_events_are_counted_in_their_hour(context):
    now = datetime.now(UTC)
    make_product()
    for ago in ("-3 hours", "-30 hours"):
        db.session.execute(ATTEMPT, {"ago": ago, "webhook": WEBHOOK})
    db.session.flush()
    day = [
        activity._counted((now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)).isoformat())
        for back in range(4)
    ]
    assert day[0]["events"] == {"product.created": 1}
    assert day[3]["all"] == {"delivered": 2, "failed": 1, "p50": 20.0, "p95": 29.0}
    assert day[3]["webhooks"] == {WEBHOOK: day[3]["all"]}
    assert day[1]["all"] == {"delivered": 0, "failed": 0, "p50": None, "p95": None}


def test_a_day_has_24_hours_and_the_present_one_is_the_last(context):
    now = datetime(2026, 5, 1, 12, 34, tzinfo=UTC)
    day = activity.last_day(now)
    assert len(day) == 24
    assert day[-1]["hour"] == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert day[0]["hour"] == datetime(2026, 4, 30, 13, tzinfo=UTC)


def test_the_first_id_of_a_moment_lies_before_those_made_from_then_on(context):
    before = activity.first_id(datetime.now(UTC))
    made = db.session.scalar(text("SELECT uuidv7()"))
    assert before < made < activity.first_id(datetime.now(UTC) + timedelta(seconds=1))


def test_the_hour_that_has_just_ended_is_counted_anew_until_it_has_settled(context, monkeypatch):
    counted: list[str] = []
    monkeypatch.setattr(activity, "_counted", lambda hour: counted.append(hour) or {"events": {}})
    day = datetime(2031, 5, 1, 12, tzinfo=UTC)
    activity.last_day(day + timedelta(seconds=30))
    activity.last_day(day + timedelta(minutes=30))
    activity.last_day(day + timedelta(minutes=31))
    assert counted.count((day - timedelta(hours=1)).isoformat()) == 2
    assert counted.count((day - timedelta(hours=2)).isoformat()) == 1
