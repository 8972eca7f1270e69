"""Progress as server-sent events, until the import ends, or for a minute; then the client comes again.

A stream holds a thread, so only so many go on at once (`streams.py`); whoever comes beyond that is told how far the
import is, and to come again, which makes of the stream a slow poll and never of the service a silent one.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from catalog import streams
from catalog.imports import report

STREAM_SECONDS = 60
BEAT_SECONDS = 10
POLL_SECONDS = 0.5
RETRY_MILLISECONDS = 2_000
_ENDED = ("Completed", "Failed", "Cancelled")


class Watch:
    """The events of one stream, as bytes; `close()` gives its place to the next one.

    `look` tells how far the import is, or None to whom may not see it any more.
    """

    def __init__(
        self, look: Callable[[], report.Progress | None], release: streams.Release | None, last_seen: str | None
    ):
        self._look, self._release = look, release
        self._last = last_seen
        self._events = self._make()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Give the place back."""
        if self._release:
            self._release()

    def _make(self) -> Iterator[bytes]:
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        ends = time.monotonic() + STREAM_SECONDS
        beat = time.monotonic() + BEAT_SECONDS
        while True:
            progress = self._look()
            if progress is None:
                return
            if event := self._event(progress):
                yield event
            if progress.state in _ENDED or not self._release or time.monotonic() > ends:
                return
            if time.monotonic() > beat:
                yield b": still there\n\n"
                beat = time.monotonic() + BEAT_SECONDS
            time.sleep(POLL_SECONDS)

    def _event(self, progress: report.Progress) -> bytes | None:
        """Return the event of a progress, or None where the client has it already; its id says what it tells."""
        ended = progress.state in _ENDED
        name = f"{progress.state}-{progress.percent}-{progress.current}"
        if name == self._last and not ended:
            return None
        self._last = name
        kind = "end" if ended else "progress"
        data = json.dumps(asdict(progress), default=str)
        return f"id: {name}\nevent: {kind}\ndata: {data}\n\n".encode()
