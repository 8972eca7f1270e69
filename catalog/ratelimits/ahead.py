"""Counting before Flask: a process takes hits in bunches, so that most are counted without asking anyone."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.access import Caller
from catalog.ratelimits.callers import counted_for
from catalog.ratelimits.counters import Counters, Window, shown
from catalog.ratelimits.rates import Rate

BUNCHES = 100  # in a limit: what a process took and did not spend in its window is less than a hundredth
MOST_LEASES = 10_000

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Lease:
    """Hits that were taken, and not all spent."""

    left: int
    used: int  # by all, when they were taken
    ends: float  # as time.monotonic()


class Ahead:
    """The leases of one process."""

    def __init__(self, counters: Counters, rates: Mapping[str, Rate], prefix: str):
        self._counters, self._rates, self._prefix = counters, rates, prefix
        self._leases: dict[tuple[str, str], Lease] = {}
        self._lock = threading.Lock()

    def count(self, what: str, asking: Caller) -> Headers | None:
        """Count one request and return the headers of its answer; None where Flask must count, and may refuse."""
        rate = self._rates.get(what)
        if rate is None:
            return []
        caller = counted_for(asking)
        window = self._spent(what, caller) or self._lease(rate, what, caller)
        return list(shown({what: (rate, window)}).items()) if window else None

    def _spent(self, what: str, caller: str) -> Window | None:
        """Spend a hit that was taken before; return None where there is none."""
        now = time.monotonic()
        with self._lock:
            lease = self._leases.get((what, caller))
            if lease is None or lease.left == 0 or now >= lease.ends:
                return None
            lease.left -= 1
            return Window(lease.used - lease.left, lease.ends - now)

    def _lease(self, rate: Rate, what: str, caller: str) -> Window | None:
        """Take a bunch and spend its first hit; outside of the lock, since Redis may keep us waiting."""
        key = rate.key_for(self._prefix, caller, what)
        bunch = max(1, rate.amount // BUNCHES)
        taken, window = self._counters.take(key, bunch, rate.seconds, rate.amount)
        with self._lock:
            if len(self._leases) >= MOST_LEASES:
                self._leases.clear()
            self._leases[what, caller] = Lease(taken, window.used, time.monotonic() + window.left)
        return self._spent(what, caller)
