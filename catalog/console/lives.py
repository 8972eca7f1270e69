"""A delivery's life as a picture: its event, each attempt, the waits between them, and what comes next. Pure geometry.

Waits grow from seconds to a day, so the steps stand at even distances and the waits are written between them.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

SHOWN = 8  # attempts; of more the first and the latest ones
STEP, MARGIN = 92, 46
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def of(delivery: Any, attempts: Sequence[Any], now: datetime) -> dict[str, Any]:
    """Return {"width", "dots", "lines", "label"} for a delivery and its attempts, the latest first.

    A dot is {"x", "kind", "name", "text", "at"}, its kind `event`, `delivered`, `failed` or `next`; a line is
    {"x", "end", "text", "later"}, its text the wait, `later` where that is not over.
    """
    steps = [*_begun(delivery, attempts), *map(_attempt, reversed(attempts)), *_next(delivery)]
    kept = steps if len(steps) <= SHOWN + 2 else [*steps[:2], *steps[-SHOWN:]]
    dots = [{**step, "x": MARGIN + place * STEP} for place, step in enumerate(kept)]
    lines = [_line(before, after, now) for before, after in pairwise(dots)]
    label = ", ".join(f"{dot['name']} {dot['text']}".strip() for dot in dots)
    return {"width": 2 * MARGIN + (len(dots) - 1) * STEP, "dots": dots, "lines": lines, "label": label}


def span(seconds: float) -> str:
    """Return a time in its largest unit: "40 ms", "12 s", "2 h"."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    unit, size = next((unit, size) for unit, size in _UNITS if seconds >= size)
    return f"{round(seconds / size)} {unit}"


def _begun(delivery: Any, attempts: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the dot of the event; none if a replay was queued after the first attempts."""
    if attempts and attempts[-1].created_at < delivery.queued_at:
        return []
    return [_dot("event", "queued", "", delivery.queued_at)]


def _attempt(attempt: Any) -> dict[str, Any]:
    kind = "failed" if attempt.error else "delivered"
    return _dot(kind, f"attempt {attempt.attempt}", str(attempt.status_code or "no answer"), attempt.created_at)


def _next(delivery: Any) -> list[dict[str, Any]]:
    if delivery.status != "pending" or delivery.due_at is None:
        return []
    return [_dot("next", "next attempt", "", delivery.due_at)]


def _dot(kind: str, name: str, text: str, at: datetime) -> dict[str, Any]:
    return {"kind": kind, "name": name, "text": text, "at": at}


def _line(before: dict[str, Any], after: dict[str, Any], now: datetime) -> dict[str, Any]:
    wait = max(0.0, (after["at"] - before["at"]).total_seconds())
    return {"x": before["x"], "end": after["x"], "text": span(wait), "later": after["at"] > now}
