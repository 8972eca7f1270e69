"""How much one caller may ask for in a window: reads, writes, megabytes of uploads, and what GraphQL costs.

Flask-Limiter counts what Flask answers, in the cache's Redis; what is answered before Flask counts by `Ahead`, in the
same counters. A limit that is not set is not counted; where none is, none of this is even imported.
"""

from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

if TYPE_CHECKING:
    from catalog.ratelimits.ahead import Ahead
    from catalog.ratelimits.limits import RateLimits

KINDS = ("reads", "writes", "uploads", "graphql")


def register(app: Flask) -> None:
    """Count, where a limit is set."""
    rates = {kind: rate for kind in KINDS if (rate := app.config[f"RATE_LIMIT_{kind.upper()}"])}
    app.extensions["catalog-ratelimits"] = _limits(app, rates) if rates else None


def _limits(app: Flask, rates: dict[str, str]) -> "RateLimits":
    from limits import parse

    from catalog.ratelimits.limits import RateLimits

    return RateLimits(app, {kind: parse(rate) for kind, rate in rates.items()})


def ahead_of(app: Flask) -> "Ahead | None":
    """Return what counts before Flask, or None where nothing does."""
    limits = _of(app)
    return limits.ahead if limits else None


def spend(what: str, cost: int) -> None:
    """Count so much more against a limit of the caller, where it is set. Raises TooManyRequests."""
    limits = _of(current_app)
    if limits:
        limits.spend(what, cost)


def _of(app: Any) -> "RateLimits | None":
    return app.extensions["catalog-ratelimits"]  # type: ignore[no-any-return]
