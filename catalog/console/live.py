"""Parts of pages as server-sent events, for as long as somebody looks, and bounded as all long answers are.

A stream holds a thread, so only so many go on at once (`streams.py`). Whoever comes beyond that gets each part once
and is told to come again, which makes of the stream a slow poll.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from flask import Response, current_app, g

from catalog import gate, streams
from catalog.extensions import db

STREAM_SECONDS = 120
TICK_SECONDS = 2.0
RETRY_MILLISECONDS = 4_000

Part = Callable[[], str]


class Live:
    """The events of one stream; `close()` gives its place to the next one."""

    def __init__(self, parts: Mapping[str, tuple[Part, int]], release: streams.Release | None):
        self._parts, self._release = parts, release
        self._said: dict[str, str] = {}
        self._caller, self._is_let_in = g.get("caller"), gate.again()
        self._app = current_app._get_current_object()  # type: ignore[attr-defined]
        self._events = self._make()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Give the place back."""
        if self._release:
            self._release()

    def _make(self) -> Iterator[bytes]:
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        ends, ticks = time.monotonic() + STREAM_SECONDS, 0
        while True:
            for name, (render, every) in self._parts.items():
                if ticks % every == 0:
                    yield self._event(name, render)
            if not self._release or time.monotonic() > ends:
                return
            ticks += 1
            time.sleep(TICK_SECONDS)
            with self._app.app_context():
                if not self._is_let_in():
                    return

    def _event(self, name: str, render: Part) -> bytes:
        """Return the part if it has changed, else a comment, which finds out whether anybody still listens."""
        with self._app.test_request_context():  # its end gives the connection back until the next tick
            g.caller = self._caller
            html = render()
            db.session.remove()
        if self._said.get(name) == html:
            return b": the same\n\n"
        self._said[name] = html
        lines = "".join(f"data: {line}\n" for line in html.splitlines())
        return f"event: {name}\n{lines}\n".encode()


def answer(parts: Mapping[str, tuple[Part, int]]) -> Response:
    """Return a stream of parts: {event: (what renders it, on every how manieth tick of 2 s)}."""
    events = Live(parts, streams.slots().take())
    return Response(events, mimetype="text/event-stream", headers={"Cache-Control": "no-cache"})
