"""The schedule of retries, with a clock that is only a number."""

import pytest

from catalog.webhooks.retry import DAY, DURABLE, HOUR, Policy, delay

DURABLE_POLICY, QUICK_POLICY = Policy(3, True), Policy(3, False)


def middle(low, high):
    return (low + high) / 2


def test_quick_retries_come_after_2_4_8_seconds_and_then_the_durable_schedule_begins():
    waits = [delay(failures, DURABLE_POLICY, 0, uniform=middle) for failures in range(1, 12)]
    assert waits == [2, 4, 8, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]


def test_without_the_durable_schedule_nothing_follows_the_quick_retries():
    assert [delay(failures, QUICK_POLICY, 0, uniform=middle) for failures in (3, 4)] == [8, None]


def test_no_quick_retries_means_the_durable_schedule_at_once_or_none_at_all():
    assert delay(1, Policy(0, True), 0, uniform=middle) == DURABLE[0]
    assert delay(1, Policy(0, False), 0) is None


@pytest.mark.parametrize("failures", range(1, 13))
def test_every_wait_stays_within_a_fifth_of_its_plan(failures):
    planned = delay(failures, DURABLE_POLICY, 0, uniform=middle)
    waits = [delay(failures, DURABLE_POLICY, 0) for _ in range(500)]
    assert planned * 0.8 <= min(waits) < planned < max(waits) <= planned * 1.2


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(60, 60), (1, 2), (0, 2), (-5, 2), (3600, HOUR), (99_999_999, HOUR)],
)
def test_retry_after_is_honoured_up_to_an_hour_and_never_shortens_the_wait(asked, waited):
    assert delay(1, DURABLE_POLICY, 0, asked, uniform=middle) == waited


@pytest.mark.parametrize("luck", [0.8, 1.0, 1.2])
@pytest.mark.parametrize("outage_hours", [1, 24, 76, 90])
def test_an_outage_of_days_is_outlasted_whatever_the_jitter(outage_hours, luck):
    clock, failures = 0.0, 0
    while clock < outage_hours * HOUR:
        failures += 1
        wait = delay(failures, DURABLE_POLICY, clock, uniform=lambda *_: luck)
        assert wait is not None, f"gave up after {clock / HOUR:.1f} h"
        clock += wait


def test_a_delivery_is_given_up_after_five_days():
    assert delay(12, DURABLE_POLICY, 5 * DAY - 20 * HOUR, uniform=middle) is None
    assert delay(12, DURABLE_POLICY, 5 * DAY - 25 * HOUR, uniform=middle) == 24 * HOUR
