"""One request on its way: what is to be sent, what came back, and what that means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pycurl

from catalog.bounded_http import Body

BODY_LIMIT = 16 * 1024
TIMED_OUT = 28


@dataclass(frozen=True)
class Post:
    """A request to send: `key` comes back with its result, `timeout` is the limit of the whole attempt in seconds.

    `owner` is charged for the look-up of its host name.
    """

    key: Any
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    timeout: float
    owner: str = "-"


@dataclass(frozen=True)
class Result:
    """How an attempt ended: `error` is None after a 2xx answer; `retry_after` is in seconds."""

    key: Any
    status_code: int | None
    body: str
    milliseconds: int
    error: str | None
    retry_after: float | None = None


@dataclass
class Transfer:
    """One handle of libcurl and the attempt that it carries at the moment."""

    curl: Any
    post: Post | None = None
    started: float = 0.0
    body: Body = field(default_factory=lambda: Body(BODY_LIMIT))
    refused: str | None = None


def result(transfer: Transfer, code: int, message: str) -> Result:
    """Return how an attempt ended that libcurl is done with, with libcurl's `code` and `message`."""
    post, curl = transfer.post, transfer.curl
    assert post is not None
    status = curl.getinfo(pycurl.RESPONSE_CODE) or None
    body = transfer.body.received.decode("utf-8", "replace").replace("\x00", "\ufffd")
    error = _http_error(status) if code == 0 or transfer.body.is_cut else _network_error(transfer, code, message)
    asked = curl.getinfo(pycurl.RETRY_AFTER) if error and status else 0
    return Result(post.key, status, body, milliseconds_since(transfer.started), error, asked or None)


def _http_error(status: int | None) -> str | None:
    if status is None:
        return "The answer was no HTTP"
    if 200 <= status < 300:
        return None
    return f"HTTP {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")


def _network_error(transfer: Transfer, code: int, message: str) -> str:
    if transfer.refused:
        return transfer.refused
    if code == TIMED_OUT and transfer.post is not None:
        return f"Timed out after {transfer.post.timeout:g} s"
    # Parts of it may come from the other side, and PostgreSQL takes neither NUL nor half a character.
    clean = message.encode("utf-8", "replace").decode().replace("\x00", "")
    return clean[:500] or f"libcurl error {code}"


def milliseconds_since(started: float) -> int:
    """Return the milliseconds since a moment of the monotonic clock."""
    return round((time.monotonic() - started) * 1000)
