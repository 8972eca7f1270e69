"""JSON log lines on standard error, each with the request's id, and one line for each request."""

import logging
import re
import sys
import time
import uuid

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

log = logging.getLogger("catalog.request")

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SLOW_SECONDS = 1.0


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = g.get("request_id") if has_request_context() else None
        return True


def configure(level: str) -> None:
    """Send all logging of this process to standard error as JSON, one object on a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    handler.addFilter(_RequestId())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def register(app: Flask) -> None:
    """Give every request an id, the caller's if it sent a sane one, and log how it ended."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
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
    """Reads that went well are the bulk of the traffic and say nothing at three in the morning."""
    if status >= 500:
        return logging.ERROR
    if request.method in ("GET", "HEAD", "OPTIONS") and seconds < SLOW_SECONDS:
        return logging.DEBUG
    return logging.INFO
