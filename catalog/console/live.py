"""Parts of pages as server-sent events, whenever they change."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Flask, Response, current_app, g

from catalog import eventstream, gate, streams
from catalog.extensions import db

PACE = eventstream.Pace(stream_seconds=120, look_seconds=2, beat_seconds=2, retry_milliseconds=4_000)

Part = Callable[[], str]


def answer(parts: Mapping[str, tuple[Part, int]]) -> Response:
    """Return a stream of parts: {event: (what renders it, at every how manieth look)}."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    news = _news(app, g.get("caller"), parts)
    return eventstream.answer(eventstream.EventStream(news, PACE, streams.try_to_take_slot(), gate.again()))


def _news(app: Flask, caller: Any, parts: Mapping[str, tuple[Part, int]]) -> Iterator[bytes]:
    said: dict[str, str] = {}
    looks = 0
    while True:
        due = {name: _rendered(app, caller, render) for name, (render, every) in parts.items() if looks % every == 0}
        yield b"".join(eventstream.event(name, html) for name, html in due.items() if said.get(name) != html)
        said |= due
        looks += 1


def _rendered(app: Flask, caller: Any, render: Part) -> str:
    with app.test_request_context():  # its end gives the connection back until the next look
        g.caller = caller
        html = render()
        db.session.remove()
    return html
