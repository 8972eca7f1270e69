"""Measured seconds, and the bars that they are held against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Timing:
    """One contender: a short key, a title, the rows of one run, and the seconds of each run."""

    key: str
    title: str
    rows: int
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the runs in seconds."""
        return median(self.seconds)

    @property
    def pace(self) -> float:
        """Rows per second of the median run."""
        return self.rows / self.median

    def as_dict(self) -> dict[str, Any]:
        """Return everything about it, for the JSON file."""
        runs = [round(seconds, 3) for seconds in self.seconds]
        figures = {"median_seconds": round(self.median, 3), "rows_per_second": round(self.pace)}
        return {"key": self.key, "title": self.title, "rows": self.rows, "seconds": runs, **figures}


@dataclass(frozen=True)
class Bar:
    """A figure to reach. `relation` is `<=`, `<` or `>=`; a `value` of None could not be measured, so falls short."""

    what: str
    value: float | None
    relation: str
    limit: float
    unit: str = ""

    @property
    def passed(self) -> bool:
        """Whether the figure was reached."""
        if self.value is None:
            return False
        return {
            "<=": self.value <= self.limit,
            "<": self.value < self.limit,
            ">=": self.value >= self.limit,
        }[self.relation]

    def as_dict(self) -> dict[str, Any]:
        """Return everything about it, for the JSON file."""
        return {**self.__dict__, "passed": self.passed}

    def row(self) -> list[str]:
        """Return `[what, measured, bar, verdict]` for a table."""
        measured = "not measured" if self.value is None else f"{self.value:,.2f}{self.unit}"
        verdict = "pass" if self.passed else "FALLS SHORT"
        return [self.what, measured, f"{self.relation} {self.limit:g}{self.unit}", verdict]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of all values do not exceed; ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
