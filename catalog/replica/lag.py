"""How far the replica is behind: reckoned from positions in the primary's WAL, by this process's clock alone.

`now() - pg_last_xact_replay_timestamp()` would compare the clocks of two machines, grow while nobody writes, and with
the usual correction for that say 0 when the replica is cut off from its primary.
"""

import time
from collections import deque

REMEMBERED = 1_000  # positions that the replica has not reached yet


class Lag:
    """The age of the newest moment at which everything committed is known to be on the replica."""

    def __init__(self) -> None:
        self._ahead: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._whole_at: float | None = None

    def note(self, moment: float, position: int) -> None:
        """Note that what was committed before `moment` (time.monotonic()) lies before a position of the WAL."""
        self._ahead.append((moment, position))

    def reached(self, position: int) -> None:
        """Note that the replica has replayed the WAL up to a position."""
        while self._ahead and self._ahead[0][1] <= position:
            self._whole_at, _ = self._ahead.popleft()

    def forget(self) -> None:
        """Start again, with another server."""
        self._ahead.clear()
        self._whole_at = None

    def seconds(self) -> float | None:
        """Return how old at most what the replica shows is, or None where that is not known."""
        return None if self._whole_at is None else time.monotonic() - self._whole_at
