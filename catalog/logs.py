"""JSON log lines on standard error, each with the request's id, and one line for each request."""

import logging
import os
import re
import sys
import threading
import time
import traceback
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

from catalog.redaction import redacted

log = logging.getLogger("catalog.request")

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SLOW_SECONDS = 1.0


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id") if has_request_context() else None
        return True


class _Redacting(JsonFormatter):
    """Masks what looks like a secret in the whole line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def configure(level: str) -> None:
    """Send all logging of this process to standard error as JSON, one object on a line.

    What looks like a secret is masked there, and in the traceback of an exception that nobody caught.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Redacting(
            "%(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    sys.excepthook = _print_uncaught
    threading.excepthook = lambda end: _print_uncaught(end.exc_type, end.exc_value, end.exc_traceback)


def _print_uncaught(*exception: Any) -> None:
    sys.stderr.write(redacted("".join(traceback.format_exception(*exception))))


def register(app: Flask) -> None:
    """Give every request an id, the caller's if it sent a sane one, and log how it ended."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id(given: str) -> str:
    """Return the caller's id of a request if it is a sane one, else a new one: 32 hexadecimal digits."""
    return given if _SANE_ID.fullmatch(given) else os.urandom(16).hex()


def _begin() -> None:
    g.request_id = request_id(request.headers.get("X-Request-ID", ""))
    g.started = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    seconds = time.perf_counter() - g.started
    log.log(
        _level(response.status_code, seconds),
        "%s %s %s",
        request.method,
        request.path,
        response.status_code,
        extra={"milliseconds": round(seconds * 1000, 1), "remote": request.remote_addr},
    )
    return response


def _level(status: int, seconds: float) -> int:
    """Return the level of a request: DEBUG for fast, successful reads, which are most of the traffic."""
    if status >= 500:
        return logging.ERROR
    if request.method in ("GET", "HEAD", "OPTIONS") and seconds < SLOW_SECONDS:
        return logging.DEBUG
    return logging.INFO
