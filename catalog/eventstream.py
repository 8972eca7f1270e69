"""Server-sent events, for as long as somebody listens, and bounded as all long answers are.

A stream holds a thread, so only so many go on at once (`streams.py`). Whoever comes beyond that gets what there is to
tell and is told to come again, which makes of the stream a slow poll and never of the service a silent one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Response

from catalog import draining, streams

STILL_THERE = b": still there\n\n"  # a comment; it finds out whether anybody still listens


@dataclass(frozen=True)
class Pace:
    """How long a stream lasts, how often it looks for news, when it breaks a silence, when its client comes again."""

    stream_seconds: float
    look_seconds: float
    beat_seconds: float
    retry_milliseconds: int


class EventStream:
    """The events of one stream, as bytes; `close()`, which the server calls in any case, gives its place to the next.

    `news` yields what there is to tell at each look, which may be nothing, and ends when nothing more will come;
    `is_let_in` tells before each further look whether its client still may (`gate.again()`).
    """

    def __init__(
        self, news: Iterator[bytes], pace: Pace, release: streams.Release | None, is_let_in: Callable[[], bool]
    ):
        self._news, self._pace, self._release, self._is_let_in = news, pace, release, is_let_in
        self._events = self._make()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Give the place back."""
        if self._release:
            self._release()

    def _make(self) -> Iterator[bytes]:
        yield f"retry: {self._pace.retry_milliseconds}\n\n".encode()
        ends = time.monotonic() + self._pace.stream_seconds
        heard = time.monotonic()
        for told in self._news:
            if told or time.monotonic() > heard + self._pace.beat_seconds:
                yield told or STILL_THERE
                heard = time.monotonic()
            if not self._release or draining.has_begun() or time.monotonic() > ends:
                return
            time.sleep(self._pace.look_seconds)
            if not self._is_let_in():
                return


def event(name: str, data: str, identity: str = "") -> bytes:
    """Return one event; its client sends the `identity` back when it comes again."""
    lines = [f"id: {identity}"] if identity else []
    lines += [f"event: {name}", *(f"data: {line}" for line in data.splitlines())]
    return ("\n".join(lines) + "\n\n").encode()


def answer(events: EventStream) -> Response:
    """Return a stream as a response that proxies pass on event by event (`X-Accel-Buffering` is nginx's)."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Response(events, mimetype="text/event-stream", headers=headers)
