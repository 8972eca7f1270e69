"""A circuit breaker: after some failures in a row nothing is tried for a while, then one attempt tells."""

import os
import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Shared by the threads of a process. `tripped` tells that it is open, or that an attempt will tell.

    `failures` in a row open it; `pause_seconds` later one attempt is let through, and one after each further pause.
    """

    def __init__(self, failures: int, pause_seconds: float, now: Callable[[], float] = time.monotonic):
        self.tripped = False
        self._most, self._pause, self._now = failures, pause_seconds, now
        self._failures, self._until = 0, 0.0
        self._renew_lock()
        os.register_at_fork(after_in_child=self._renew_lock)  # another thread may hold it at that moment

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether nothing is tried at this moment."""
        return self.tripped and self._now() < self._until

    def allows(self) -> bool:
        """Tell whether to try; while it is tripped, only one attempt after each pause."""
        if not self.tripped:
            return True
        with self._lock:
            now = self._now()
            if self.tripped and now < self._until:
                return False
            self._until = now + self._pause
            return True

    def succeeded(self) -> None:
        """Note an answer, whatever it says."""
        with self._lock:
            self._failures, self.tripped = 0, False

    def failed(self) -> bool:
        """Note that there was no answer, or none that makes sense; return whether this opened it."""
        with self._lock:
            self._failures += 1
            was_tripped, self.tripped = self.tripped, self._failures >= self._most
            if self.tripped:
                self._until = self._now() + self._pause
            return self.tripped and not was_tripped
