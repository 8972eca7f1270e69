"""What the processes of a run share: for each key the last acknowledged value, and counters, in a file."""

import mmap
from pathlib import Path

KEYS = 12
COUNTERS = ("reads", "hits", "stale", "stale_while_cut", "writes", "errors", "slowest_write_ms")
SLOTS = 16  # processes that count


class Board:
    """Eight bytes a number, each written by one process only, so that no lock is needed."""

    def __init__(self, path: Path):
        size = 8 * (KEYS + 2 + SLOTS * len(COUNTERS))
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), size)).cast("q")

    def acknowledged(self, key: int) -> int:
        """Return the last value of a key that was answered for."""
        return self._numbers[key]

    def acknowledge(self, key: int, value: int) -> None:
        """Say that a value was answered for."""
        self._numbers[key] = value

    @property
    def stopped(self) -> bool:
        """Whether the run is over."""
        return bool(self._numbers[KEYS])

    def stop(self) -> None:
        """End the run."""
        self._numbers[KEYS] = 1

    @property
    def cut(self) -> bool:
        """Whether the writers alone are cut off at this moment."""
        return bool(self._numbers[KEYS + 1])

    @cut.setter
    def cut(self, value: bool) -> None:
        self._numbers[KEYS + 1] = value

    def count(self, slot: int, name: str, number: int = 1) -> None:
        """Add to a counter of the process that has this slot."""
        self._numbers[self._at(slot, name)] += number

    def note_largest(self, slot: int, name: str, number: int) -> None:
        """Keep the largest number seen."""
        at = self._at(slot, name)
        self._numbers[at] = max(self._numbers[at], number)

    def total(self, name: str) -> int:
        """Return a counter, added up over all processes."""
        return sum(self._numbers[self._at(slot, name)] for slot in range(SLOTS))

    def largest(self, name: str) -> int:
        """Return the largest of a counter over all processes."""
        return max(self._numbers[self._at(slot, name)] for slot in range(SLOTS))

    @staticmethod
    def _at(slot: int, name: str) -> int:
        return KEYS + 2 + slot * len(COUNTERS) + COUNTERS.index(name)
