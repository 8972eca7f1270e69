"""A circuit breaker: after some failures in a row nothing is tried for a while, then one attempt tells."""

import threading
import time
from collections.abc import Callable

FAILURES = 5
PAUSE_SECONDS = 15.0


class Breaker:
    """Shared by the threads of a process."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_at = 0.0

    def allows(self) -> bool:
        """Tell whether to try; while it is open, only one attempt after each pause."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if self._now() < self._closed_at:
                return False
            self._closed_at = self._now() + PAUSE_SECONDS
            return True

    def succeeded(self) -> None:
        """Note an answer, whatever it says."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Note that there was no answer, or none that makes sense."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._closed_at = self._now() + PAUSE_SECONDS
