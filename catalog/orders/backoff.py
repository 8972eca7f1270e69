"""When an order that could not be processed is tried again. Pure: its age comes in, in seconds."""

import random
from collections.abc import Callable

LONGEST_PAUSE_SECONDS = 3_600.0
GIVE_UP_AFTER_SECONDS = 86_400.0
JITTER = 0.2


def pause(attempts: int, age: float, uniform: Callable[[float, float], float] = random.uniform) -> float | None:
    """Return the seconds until the next attempt, or None when a day is over.

    2, 4, 8 … seconds, an hour at most, each ±20 %. `attempts` counts those made so far (1 or more), `age` is the time
    since the order was queued.
    """
    if age >= GIVE_UP_AFTER_SECONDS:
        return None
    planned = min(2.0 ** min(attempts, 30), LONGEST_PAUSE_SECONDS)
    return min(planned * uniform(1 - JITTER, 1 + JITTER), max(GIVE_UP_AFTER_SECONDS - age, 1.0))
