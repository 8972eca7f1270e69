"""The cache: never old after an acknowledged write, no herd, and no outage when Redis is gone.

    @cached("product:{product_id}", etag=...)         on a function that reads, which then returns a Copy
    invalidate(f"product:{product.id}")               in the transaction() that makes the copy wrong
    invalidate("product:*")                           for all copies of a namespace at once
    with invalidating(raw_connection, ["product:*"]): raw_connection.commit()

docs/adr/0005-cache.md states the promise and the races behind each of these.
"""

import functools
import inspect
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec

from flask import Flask, current_app

from catalog.cache import protocol
from catalog.cache.client import Client, Unreachable
from catalog.cache.reads import BYPASS, HIT, MISS, Copy, Found, Reader
from catalog.cache.repair import repair
from catalog.cache.state import State, state
from catalog.cache.trust import Trust
from catalog.cache.writes import Invalidation, Writer
from catalog.database import after_commit, before_commit, in_transaction, transaction_notes
from catalog.errors import NotFound
from catalog.extensions import db

__all__ = [
    "BYPASS",
    "HIT",
    "MISS",
    "Cache",
    "Copy",
    "Reader",
    "State",
    "Unreachable",
    "cached",
    "current",
    "decode",
    "invalidate",
    "invalidating",
    "of",
    "present_state",
    "register",
    "sweep",
]

NEGATIVE_SECONDS = 10.0
TTL_JITTER = 0.1  # copies made together do not all end together
_PENDING = "catalog_cache_invalidation"

P = ParamSpec("P")


class Cache:
    """One application's cache. `reader` is None where CACHE_ENABLED is false; its writes then count as lost."""

    def __init__(self, app: Flask):
        settings = app.config
        keys = protocol.Keys(settings["CACHE_PREFIX"])
        client = Client(settings["CACHE_REDIS_URL"]) if settings["CACHE_ENABLED"] else None
        self.client, self.keys = client, keys
        with app.app_context():
            self.engine = db.engine
        self.ttl = settings["CACHE_TTL_SECONDS"]
        self.writer = Writer(client, keys, self.engine)
        self.reader: Reader | None = None
        if client:
            code = protocol.code_digest(Path(__file__).parent.parent)
            self.reader = Reader(client, keys, Trust(client, keys, self.engine), code)


def register(app: Flask) -> None:
    """Give the application its cache; it connects when it is first used."""
    app.extensions["catalog-cache"] = Cache(app)


def current() -> Cache:
    """Return the current application's cache."""
    return of(current_app)


def of(app: Flask) -> Cache:
    """Return an application's cache."""
    return app.extensions["catalog-cache"]  # type: ignore[no-any-return]


def cached(
    name: str, *, ttl: float | None = None, etag: Callable[[Any], str] | None = None
) -> Callable[[Callable[P, Any]], Callable[P, Copy]]:
    """Decorate a reading function of JSON values so that it returns a Copy, from the cache where there is one.

    `name` is made from the arguments: "product:{product_id}". `ttl` is in seconds (CACHE_TTL_SECONDS), `etag`
    makes the quoted entity tag from the value. NotFound is remembered too, for NEGATIVE_SECONDS.
    The function must read anew what it reads: `populate_existing`, not what a session holds already.
    """

    def decorate(load: Callable[P, Any]) -> Callable[P, Copy]:
        signature = inspect.signature(load)

        @functools.wraps(load)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Copy:
            given = signature.bind(*args, **kwargs).arguments
            cache = current()
            loader = functools.partial(_load, functools.partial(load, *args, **kwargs), ttl or cache.ttl, etag)
            if cache.reader is None or in_transaction():  # an open transaction sees what others must not
                return decode(loader().payload, BYPASS)
            return decode(*cache.reader.read(name.format(**given), loader))

        return wrapper

    return decorate


def _load(load: Callable[[], Any], ttl: float, etag: Callable[[Any], str] | None) -> Found:
    """Return a payload: "+", the entity tag, a line feed and the JSON; or "-" and what was not found."""
    try:
        value = load()
    except NotFound as error:
        return Found(b"-" + error.detail.encode(), NEGATIVE_SECONDS)
    body = current_app.json.dumps(value, separators=(",", ":")).encode() + b"\n"
    tag = etag(value).encode() if etag else b""
    jittered = ttl * random.uniform(1 - TTL_JITTER, 1)  # noqa: S311  # nosec B311
    return Found(b"+" + tag + b"\n" + body, jittered)


def decode(payload: bytes, outcome: str) -> Copy:
    """Return the copy that a payload holds. Raises NotFound for a remembered absence."""
    if payload[:1] == b"-":
        raise NotFound(payload[1:].decode(), X_Cache=outcome)
    tag, _, body = payload[1:].partition(b"\n")
    return Copy(body, tag.decode(), outcome)


def invalidate(*names: str) -> None:
    """Make the cache forget `names` in step with the current transaction's commit; "product:*" is a namespace.

    Raises RuntimeError outside a transaction().
    """
    notes = transaction_notes()
    invalidation = notes.get(_PENDING)
    if invalidation is None:
        invalidation = notes[_PENDING] = Invalidation(current().writer)
        before_commit(functools.partial(_fence, invalidation))
    invalidation.add(names)


def _fence(invalidation: Invalidation) -> None:
    session = db.session()
    session.flush()
    invalidation.before_commit(session.connection().connection)
    after_commit(invalidation.after_commit)


def invalidating(connection: Any, names: Sequence[str]) -> AbstractContextManager[None]:
    """Invalidate around a psycopg2 `connection`'s transaction; commit it inside the block."""
    return current().writer.invalidating(connection, names)


def sweep() -> int:
    """Make up for invalidations that were lost or left behind; the clock calls it. Returns how many."""
    cache = current()
    return repair(cache.writer, cache.engine) if cache.reader else 0


def present_state() -> State:
    """Return how old the cache may be at this moment."""
    cache = current()
    return state(cache.client, cache.keys, cache.engine)
