"""The tick of a request that reads the beginning of a file: it ends in time, whatever the file holds."""

import time

from catalog.imports.files import BadFile

HEAD_SECONDS = 2.0
OWN_SECONDS = 0.25


class TooSlow(BadFile):
    """The beginning of a file takes longer to read than a request may."""


class Deadline:
    """A tick that raises TooSlow 2 seconds after its first call.

    On a busy machine it waits until a quarter of a second went into the reading itself: no file is refused for the
    work of others.
    """

    def __init__(self, seconds: float = HEAD_SECONDS, own: float = OWN_SECONDS):
        self._seconds, self._own = seconds, own
        self._ends = self._own_ends = 0.0

    def __call__(self) -> None:
        """Raise TooSlow when it is time."""
        now = time.monotonic()
        if not self._ends:
            self._ends, self._own_ends = now + self._seconds, time.thread_time() + self._own
        if now > self._ends and time.thread_time() > self._own_ends:
            message = f"The header and the first row take longer than {self._seconds:g} seconds to read."
            raise TooSlow(f"{message} Save the file as .csv.")
