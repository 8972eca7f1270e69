"""The limits of one application: which a request counts against, for whom, and what its answer says of them."""

import logging
import math

from flask import Flask, Response, current_app, g, request

from catalog import cache
from catalog.cache.client import Client
from catalog.errors import TooManyRequests
from catalog.ratelimits.ahead import Ahead
from catalog.ratelimits.callers import who
from catalog.ratelimits.counters import Counters, Window, shown
from catalog.ratelimits.rates import Rate

log = logging.getLogger(__name__)

STRATEGY = "fixed-window"
MEGABYTE = 1_000_000

_UPLOADS = ("imports.upload_products", "console_imports.append")


class RateLimits:
    """The limits of one application, by kind."""

    def __init__(self, app: Flask, rates: dict[str, Rate]):
        self.rates = rates
        self.prefix = f"{app.config['CACHE_PREFIX']}:{STRATEGY}"  # counters of another strategy are of another shape
        self.counters = Counters(client=cache.of(app).client or Client(app.config["CACHE_REDIS_URL"]))
        self.ahead = Ahead(self.counters, rates, self.prefix)
        app.before_request(self.count)
        app.after_request(self.tell)

    def count(self) -> None:
        """Count the current request, also one that leads nowhere. Raises TooManyRequests."""
        what = kind()
        if what in self.rates:
            self.spend(what, self._cost() if what == "uploads" else 1)

    def _cost(self) -> int:
        """Return what an upload costs: its megabytes, or all that it may have where it does not say."""
        return math.ceil((request.content_length or current_app.config["MAX_CONTENT_LENGTH"]) / MEGABYTE)

    def spend(self, what: str, cost: int) -> None:
        """Count so much more against a limit of the caller, at most all of it. Raises TooManyRequests.

        GraphQL spends twice: its cost is known once its document is read.
        """
        rate = self.rates.get(what) if cost else None
        if rate is None:
            return
        key = rate.key_for(self.prefix, who(), what)
        _, window = self.counters.take(key, max(1, min(cost, rate.amount)), rate.seconds)
        g.setdefault("rate_windows", {})[what] = window
        if window.used > rate.amount:
            log.info("Rate limit exceeded: limit=%s caller=%s endpoint=%s", what, who(), request.endpoint)
            raise TooManyRequests(refusal(rate, what))

    def tell(self, response: Response) -> Response:
        """Say in the answer what the limits are and what is left of them."""
        windows: dict[str, Window] = g.get("rate_windows", {})
        told = {what: windows[what] for what in self.rates if what in windows}
        if told:
            response.headers.update(shown({what: (self.rates[what], window) for what, window in told.items()}))
        if response.status_code == 429 and told:
            spent = [window.seconds for what, window in told.items() if window.used > self.rates[what].amount]
            response.headers.setdefault("Retry-After", str(max(spent, default=1)))
        return response


def refusal(rate: Rate, what: str) -> str:
    """Return what a caller over its limit is told."""
    return f"More than {rate.amount:,} {what} in {rate.seconds:,} s; Retry-After says when there are more."


def kind() -> str:
    """Return which limit the current request counts against; blank for none."""
    endpoint = request.endpoint or ""
    if request.blueprint == "health" or endpoint.endswith("static"):  # probes, and what pages are made of
        return ""
    if endpoint in _UPLOADS:
        return "uploads"
    if request.blueprint == "graphql":
        return "graphql"
    return "reads" if request.method in ("GET", "HEAD", "OPTIONS") else "writes"
