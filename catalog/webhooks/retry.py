"""When a failed delivery is tried again. Pure: the clock comes in as the delivery's age."""

import random
from collections.abc import Callable
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60, 3_600, 86_400

QUICK_BASE = 2
DURABLE = (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
JITTER = 0.2
GIVE_UP_AFTER = 5 * DAY  # as long as a webhook may fail before it is disabled
LONGEST_RETRY_AFTER = HOUR


@dataclass(frozen=True)
class Policy:
    """A webhook's retries: how many quick ones, and whether the durable schedule follows."""

    retry_count: int
    durable: bool


def delay(
    failures: int,
    policy: Policy,
    age: float,
    retry_after: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float | None:
    """Return the seconds until the next attempt, or None where none follows.

    `failures` counts the attempts that failed so far (1 or more), `age` is the time in seconds since the
    delivery was queued, `retry_after` what the receiver asked for, in seconds.
    """
    planned = _planned(failures, policy)
    if planned is None:
        return None
    wait = planned * uniform(1 - JITTER, 1 + JITTER)
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER))
    return wait if age + wait <= GIVE_UP_AFTER else None


def _planned(failures: int, policy: Policy) -> float | None:
    """Return the scheduled delay. The last step repeats, to outlast an outage of days."""
    if failures <= policy.retry_count:
        return float(QUICK_BASE**failures)
    if not policy.durable:
        return None
    return DURABLE[min(failures - policy.retry_count, len(DURABLE)) - 1]
