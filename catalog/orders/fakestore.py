"""FakeStore: products by number, at `FAKESTORE_URL/products/{number}`.

An answer is kept for an hour, and that there is none for seconds. Whatever else it answers than a product or that there
is none, counts as a failure: it may hang, fail and lie.
"""

import random
import re
import time
from typing import Any

import marshmallow as ma
from flask import current_app
from marshmallow import validate

from catalog import bounded_http
from catalog.cache import cached
from catalog.circuit_breaker import CircuitBreaker
from catalog.errors import NotFound
from catalog.fields import Integer, Number, Text
from catalog.strictjson import parse_json

KEPT_SECONDS = 3_600
MAX_BYTES = 1_000_000
TRIES = 3
PAUSE_SECONDS = 0.1  # doubled after each try
CONNECTIONS = 16
FAILURES = 5  # lookups in a row; then FakeStore is left alone
BREAK_SECONDS = 15.0

_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,9}\Z")


class Unreachable(Exception):
    """FakeStore gave no answer that makes sense; it may later."""


class _ProductSchema(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    id = Integer(required=True)
    title = Text(required=True, validate=validate.Length(1, 500))
    category = Text(load_default=None, allow_none=True, validate=validate.Length(max=200))
    image = Text(load_default=None, allow_none=True, validate=validate.Length(max=2_000))
    price = Number(places=10, load_default=None, allow_none=True, validate=validate.Range(min=0))


_schema = _ProductSchema()
_breaker = CircuitBreaker(FAILURES, BREAK_SECONDS)


def number_of(sku: str) -> int | None:
    """Return the number that ends a SKU, e.g. 7 of `P007`, or None."""
    found = _NUMBER.search(sku)
    return int(found[0]) if found else None


@cached("fakestore:{number}", ttl=KEPT_SECONDS)
def product(number: int) -> Any:
    """Return a product's {"id", "title", "category", "image", "price"}. Raises NotFound and Unreachable."""
    if not _breaker.allows():
        raise Unreachable("FakeStore has failed repeatedly; it is left alone for a moment")
    try:
        found = _asked(number, current_app.config["FAKESTORE_TIMEOUT_SECONDS"])
    except Unreachable:
        _breaker.failed()
        raise
    _breaker.succeeded()
    if found is None:
        raise NotFound(f"FakeStore has no product {number}")
    return found


def _asked(number: int, seconds: float) -> dict[str, Any] | None:
    """Ask up to three times, all within the limit."""
    url = f"{current_app.config['FAKESTORE_URL'].rstrip('/')}/products/{number}"
    end = time.monotonic() + seconds
    for tried in range(1, TRIES + 1):
        try:
            return _read(number, *bounded_http.get(url, max(end - time.monotonic(), 0.01), MAX_BYTES))
        except (bounded_http.RequestFailed, Unreachable) as error:
            pause = PAUSE_SECONDS * 2 ** (tried - 1) * random.uniform(0.5, 1.5)  # noqa: S311  # nosec B311
            if tried == TRIES or time.monotonic() + pause >= end:
                raise Unreachable(_in_words(error)) from error
            time.sleep(pause)
    raise AssertionError("unreachable")


def _read(number: int, status: int, body: bytes) -> dict[str, Any] | None:
    """Return what an answer says: a product, or None for none; it says that with 404, and with 200 and nothing."""
    if status == 404 or (status == 200 and body.strip() in (b"", b"null")):
        return None
    if status != 200:
        raise Unreachable(f"FakeStore answered {status}")
    try:
        found = _schema.load(parse_json(body))
    except Exception as error:  # any error is caused by the response
        raise Unreachable("FakeStore answered what is no product") from error
    if found["id"] != number:
        raise Unreachable("FakeStore answered another product")
    return dict(found)


def _in_words(error: Exception) -> str:
    if isinstance(error, Unreachable):
        return str(error)
    if isinstance(error, bounded_http.TimedOut | bounded_http.TooLarge):
        return f"FakeStore: {error}"
    return f"FakeStore cannot be reached ({error})"
