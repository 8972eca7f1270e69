"""Counters of one process alone, for as long as Redis does not answer: fixed windows in memory."""

import threading
import time
from collections.abc import Callable

MOST = 10_000  # windows; beyond it those that have ended are dropped, and all if none has


class LocalCounters:
    """Shared by the threads of a process; `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._windows: dict[str, tuple[int, float]] = {}  # how much is taken, and when the window ends
        self._lock = threading.Lock()

    def take(self, key: str, amount: int, seconds: float, most: int | None = None) -> tuple[int, int, float]:
        """Return how much was taken, how much is taken in all, and the seconds left of the window.

        With `most`, no more than that is ever taken in all.
        """
        with self._lock:
            now = self._now()
            used, ends = self._windows.get(key, (0, 0.0))
            if now >= ends:
                used, ends = 0, now + seconds
            taken = amount if most is None else max(0, min(amount, most - used))
            if taken:
                self._keep(key, used + taken, ends, now)
            return taken, used + taken, ends - now

    def put_back(self, key: str, amount: int) -> None:
        """Put back so much of what was taken, if its window has not ended."""
        with self._lock:
            used, ends = self._windows.get(key, (0, 0.0))
            if used >= amount and self._now() < ends:
                self._windows[key] = (used - amount, ends)

    def _keep(self, key: str, used: int, ends: float, now: float) -> None:
        if len(self._windows) >= MOST and key not in self._windows:
            self._windows = {name: window for name, window in self._windows.items() if window[1] > now}
            if len(self._windows) >= MOST:
                self._windows.clear()
        self._windows[key] = (used, ends)
