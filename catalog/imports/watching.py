"""Progress as server-sent events, until the import ends, or for a minute; then the client comes again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

from catalog.eventstream import Pace, event
from catalog.imports import report

PACE = Pace(stream_seconds=60, look_seconds=0.5, beat_seconds=10, retry_milliseconds=2_000)
_ENDED = ("Completed", "Failed", "Cancelled")


def news(look: Callable[[], report.Progress], last_seen: str | None) -> Iterator[bytes]:
    """Yield the event of each progress, nothing where the client has it already; its id says what an event tells."""
    while True:
        progress = look()
        ended = progress.state in _ENDED
        name = f"{progress.state}-{progress.percent}-{progress.current}"
        is_new = ended or name != last_seen
        last_seen = name
        yield event("end" if ended else "progress", json.dumps(asdict(progress), default=str), name) if is_new else b""
        if ended:
            return
