"""What `test-verbose` and `test-debug` show: every request and answer, and the last lines of the server's log."""

import contextlib
import json
import logging
import os
from collections import deque
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

WANTED = bool(os.environ.get("CATALOG_TEST_VERBOSE") or os.environ.get("CATALOG_TEST_DEBUG"))
LOG_LINES = 50
LONGEST_BODY = 2000


class Client(FlaskClient):
    """A client that prints what it sends and gets."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send the request; print it and its answer."""
        response = super().open(*args, **kwargs)
        request = response.request
        print(f"\n→ {request.method} {request.full_path.rstrip('?')}")
        if "json" in kwargs:
            print(_readable(json.dumps(kwargs["json"], default=str)))
        print(f"← {response.status}")
        for name in ("ETag", "Location", "X-Cache", "Retry-After"):
            if name in response.headers:
                print(f"  {name}: {response.headers[name]}")
        if not response.is_streamed:
            print(_readable(response.get_data(as_text=True)))
        return response


def _readable(body: str) -> str:
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    shortened = body if len(body) <= LONGEST_BODY else body[:LONGEST_BODY] + " …"
    return "\n".join("  " + line for line in shortened.splitlines())


class _Recent(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


_recent = _Recent()
if os.environ.get("CATALOG_TEST_DEBUG"):
    logging.getLogger("catalog").addHandler(_recent)
    logging.getLogger("catalog").setLevel(logging.DEBUG)


def print_log(report: pytest.TestReport) -> None:
    """Print what the server logged during the test that `report` is about, at most 50 lines."""
    if not os.environ.get("CATALOG_TEST_DEBUG"):
        return
    for line in _recent.lines:
        print(f"  log: {line}")
    _recent.lines.clear()
