"""How much one caller may ask for in a window: reads, writes, megabytes of uploads, and what GraphQL costs.

`RateLimits` counts what Flask answers, in the cache's Redis; what is answered before Flask counts by `Ahead`, in the
same counters. A limit that is not set is not counted; where none is, none of this is even imported. Attempts to sign
in are always counted.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

if TYPE_CHECKING:
    from catalog.ratelimits.ahead import Ahead
    from catalog.ratelimits.attempts import Attempts
    from catalog.ratelimits.limits import RateLimits
    from catalog.ratelimits.wrongkeys import Check

KINDS = ("reads", "writes", "uploads", "graphql")


def register(app: Flask) -> None:
    """Count, where a limit is set."""
    rates = {kind: rate for kind in KINDS if (rate := app.config[f"RATE_LIMIT_{kind.upper()}"])}
    app.extensions["catalog-ratelimits"] = _limits(app, rates) if rates else None


def _limits(app: Flask, rates: dict[str, str]) -> "RateLimits":
    from catalog.ratelimits.limits import RateLimits
    from catalog.ratelimits.rates import parse

    return RateLimits(app, {kind: parse(rate) for kind, rate in rates.items()})


def counting_wrong_keys(app: Flask, check: "Check") -> "Check":
    """Return a check of keys that also counts those that are wrong, where a limit is set."""
    rate = app.config["RATE_LIMIT_WRONG_KEYS"]
    if not rate:
        return check
    from catalog import cache
    from catalog.cache.client import Client
    from catalog.ratelimits.counters import Counters
    from catalog.ratelimits.rates import parse
    from catalog.ratelimits.wrongkeys import WrongKeys

    client = cache.of(app).client or Client(app.config["CACHE_REDIS_URL"])
    return WrongKeys(check, Counters(client=client), parse(rate), app.config["CACHE_PREFIX"])


def ahead_of(app: Flask) -> "Ahead | None":
    """Return what counts before Flask, or None where nothing does."""
    limits = _of(app)
    return limits.ahead if limits else None


def spend(what: str, cost: int) -> None:
    """Count so much more against a limit of the caller, where it is set. Raises TooManyRequests."""
    limits = _of(current_app)
    if limits:
        limits.spend(what, cost)


def attempt(name: str | None, address: str) -> AbstractContextManager[None]:
    """Return a block that counts as an attempt to sign in, for a name and an address; a success is put back.

    What it refuses, by Unauthorized, Forbidden or ValidationFailed, stays counted. Raises TooManyRequests.
    """
    return _attempts(current_app).one(name, address)


def _attempts(app: Any) -> "Attempts":
    from catalog import cache
    from catalog.cache.client import Client
    from catalog.ratelimits.attempts import Attempts
    from catalog.ratelimits.counters import Counters
    from catalog.ratelimits.rates import parse

    if "catalog-attempts" not in app.extensions:
        counters = Counters(client=cache.of(app).client or Client(app.config["CACHE_REDIS_URL"]))
        rates = {kind: parse(app.config[f"RATE_LIMIT_SIGN_IN_{kind.upper()}"]) for kind in ("name", "address")}
        app.extensions["catalog-attempts"] = Attempts(counters, rates, app.config["CACHE_PREFIX"])
    return app.extensions["catalog-attempts"]  # type: ignore[no-any-return]


def _of(app: Any) -> "RateLimits | None":
    return app.extensions["catalog-ratelimits"]  # type: ignore[no-any-return]
