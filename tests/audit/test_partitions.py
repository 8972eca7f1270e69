"""A part for each month, made ahead and dropped by the setting; what has no part is kept all the same."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from catalog.audit import partitions, service
from catalog.audit.models import id_at
from catalog.database import transaction
from catalog.extensions import db


@pytest.fixture(autouse=True)
def no_parts(context):
    """Begin without parts, whatever another test's clock has made; they are back when the test ends."""
    with transaction() as session:
        made = partitions.parts(session)
    for month in made:
        partitions._drop(month)


VERSION_7 = 7 << 76 | 2 << 62  # without which PostgreSQL reads no time in a UUID


def this_month():
    now = datetime.now(UTC)
    return now.year, now.month


def write_at(moment):
    with transaction() as session:
        service.record("create", "thing", moment.date())
        newest = session.scalar(text("SELECT id FROM audit_entries ORDER BY id DESC LIMIT 1"))
        session.execute(
            text("UPDATE audit_entries SET id = :id WHERE id = :newest"),
            {"id": uuid.UUID(int=id_at(moment).int | VERSION_7), "newest": newest},
        )


def places():
    rows = db.session.execute(text("SELECT entity_id, tableoid::regclass::text FROM audit_entries ORDER BY id"))
    return [tuple(row) for row in rows]


def test_this_month_and_the_next_two_have_parts_after_a_sweep():
    partitions.sweep()
    with transaction() as session:
        assert partitions.parts(session) == {partitions.later(this_month(), number) for number in range(3)}
    service.record("create", "thing", 1)
    year, month = this_month()
    assert places() == [("1", f"audit_parts.m{year}_{month:02}")]


def test_sweeping_twice_changes_nothing():
    partitions.sweep()
    partitions.sweep()
    service.record("create", "thing", 1)
    assert len(places()) == 1


def test_without_a_part_an_entry_goes_to_the_rest_and_from_there_to_its_month():
    service.record("create", "thing", 1)
    assert places() == [("1", "audit_parts.rest")]
    partitions.sweep()
    year, month = this_month()
    assert places() == [("1", f"audit_parts.m{year}_{month:02}")]


def test_the_first_moment_of_a_month_is_in_it_and_the_last_one_too():
    first = datetime(*this_month(), 1, tzinfo=UTC)
    write_at(first)
    write_at(first - timedelta(milliseconds=1))
    partitions.sweep()
    before, here = partitions.later(this_month(), -1), this_month()
    assert [place for _, place in places()] == [f"audit_parts.m{year}_{month:02}" for year, month in (before, here)]


def test_months_older_than_the_setting_are_dropped_and_no_younger_ones(app, monkeypatch):
    monkeypatch.setitem(app.config, "AUDIT_RETENTION_MONTHS", 2)
    for months in (0, -2, -3, -40):
        write_at(datetime(*partitions.later(this_month(), months), 1, 12, tzinfo=UTC))
    partitions.sweep()
    with transaction() as session:
        kept = partitions.parts(session)
    assert min(kept) == partitions.later(this_month(), -2)
    assert len(places()) == 2


@pytest.mark.parametrize(("months", "found"), [(0, (2026, 1)), (-1, (2025, 12)), (12, (2027, 1)), (-13, (2024, 12))])
def test_months_go_on_over_the_years(months, found):
    assert partitions.later((2026, 1), months) == found
