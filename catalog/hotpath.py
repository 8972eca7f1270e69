"""The hot path: a cached copy is answered before Flask sees the request.

A hit costs one round trip to Redis and nothing else: no routing, no request object, no session, no JSON.
Everything that is not a plain hit goes on to Flask, which does the whole of it again, so that a rule needs
to be here only if it concerns plain hits.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask

from catalog import cache, gate, headers, logs, metrics, ratelimits
from catalog.access import Caller
from catalog.cache import HIT, Copy, Reader, Unreachable
from catalog.http import holds

log = logging.getLogger("catalog.request")

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # other spellings are Flask's


def register(app: Flask, routes: Mapping[str, str]) -> None:
    """Answer hits of these routes, `{rule ending in a UUID: namespace of its copies}`, before Flask does."""
    reader = cache.of(app).reader
    if reader:
        app.wsgi_app = HotPath(app, reader, routes)  # type: ignore[method-assign]


class HotPath:
    """A WSGI layer around the application."""

    def __init__(self, app: Flask, reader: Reader, routes: Mapping[str, str]):
        self._application: Wsgi = app.wsgi_app
        self._reader, self._gate, self._shared = reader, gate.of(app), Shared(app)
        self._routes = [
            (
                re.compile(re.escape(rule.partition("<")[0]) + f"({_UUID})").fullmatch,
                gate.scope_of(app, "GET", rule),
                rule,
                space + ":",
            )
            for rule, space in routes.items()
        ]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a hit, or pass the request on."""
        if environ["REQUEST_METHOD"] == "GET" and is_plain(environ):
            for matches, scope, rule, space in self._routes:
                if (match := matches(environ["PATH_INFO"])) and (caller := self._gate.known(environ, scope)):
                    started = time.perf_counter()
                    copy = self._copy(space + match[1])
                    shared = self._shared.headers("reads", caller, environ, request_id(environ)) if copy else None
                    if copy and shared is not None:
                        return _answer(copy, rule, shared, started, environ, start_response)
        return self._application(environ, start_response)

    def _copy(self, name: str) -> Copy | None:
        try:
            payload = self._reader.peek(name)
        except Unreachable:
            return None
        if payload is None or not payload.startswith(b"+"):
            return None  # no copy, or the copy of an absence, for which Flask makes the problem document
        return cache.decode(payload, HIT)


class Shared:
    """What answers before Flask share with all others: the count of requests, and the headers."""

    def __init__(self, app: Flask):
        self._ahead = ratelimits.ahead_of(app)
        self._always = headers.of(app)

    def headers(self, what: str, caller: Caller, environ: Environ, request_id: str) -> headers.Headers | None:
        """Count one of the `reads` or `writes` and return headers; None where Flask must count, and may refuse."""
        counted = self._ahead.count(what, caller) if self._ahead else []
        if counted is None:
            return None
        always = self._always.over(environ["wsgi.url_scheme"])
        return [*always, *counted, ("X-Request-ID", request_id)]


def is_plain(environ: Environ) -> bool:
    """Tell whether nothing but the path, and who asks for it, decides on the answer."""
    return "HTTP_ORIGIN" not in environ  # CORS headers are Flask's


def request_id(environ: Environ) -> str:
    """Return the id of a request that Flask may never see."""
    return logs.request_id(environ.get("HTTP_X_REQUEST_ID", ""))


def _answer(
    copy: Copy,
    rule: str,
    shared: headers.Headers,
    started: float,
    environ: Environ,
    start_response: Callable[..., Any],
) -> Iterable[bytes]:
    told = [("ETag", copy.etag), ("X-Cache", HIT), *shared]
    status, body = "304 NOT MODIFIED", b""
    if not holds(environ.get("HTTP_IF_NONE_MATCH"), copy.etag):
        status, body = "200 OK", copy.body
        told += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, told)
    metrics.cache_reads[HIT].inc()
    metrics.count_request("GET", rule, int(status[:3]), time.perf_counter() - started)
    log.debug("GET %s %s", environ["PATH_INFO"], status[:3])
    return [body] if body else []
