"""The limits of one application: which a request counts against, for whom, and what its answer says of them."""

import math

from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter
from limits import RateLimitItem

from catalog import cache
from catalog.cache.client import Client
from catalog.errors import TooManyRequests
from catalog.ratelimits.ahead import Ahead
from catalog.ratelimits.callers import who
from catalog.ratelimits.counters import Counters, shown

STRATEGY = "fixed-window"
MEGABYTE = 1_000_000

_UPLOADS = ("imports.upload_products", "console_imports.append")


class RateLimits:
    """The limits of one application, by kind."""

    def __init__(self, app: Flask, items: dict[str, RateLimitItem]):
        self.items = items
        self.prefix = f"{app.config['CACHE_PREFIX']}:{STRATEGY}"  # counters of another strategy are of another shape
        client = cache.of(app).client or Client(app.config["CACHE_REDIS_URL"])
        self.limiter = Limiter(
            who,
            application_limits=[
                ApplicationLimit(
                    self._limit,
                    scope=lambda _: kind(),
                    cost=self._cost,
                    error_message=lambda: refusal(items[kind()], kind()),
                )
            ],
            strategy=STRATEGY,
            storage_uri=f"{Counters.SCHEME}://",
            storage_options={"client": client},  # type: ignore[dict-item]
            key_prefix=self.prefix,
            request_identifier=lambda: "any",  # also what has no route counts
        )
        self.limiter.init_app(app)
        app.after_request(self.tell)
        self.counters: Counters = self.limiter.storage  # type: ignore[assignment]
        self.ahead = Ahead(self.counters, items, self.prefix)

    def _limit(self) -> str:
        item = self.items.get(kind())
        return f"{item.amount}/{item.multiples} {item.GRANULARITY.name}" if item else ""

    def _cost(self) -> int:
        """Return what a request costs at once; GraphQL's own cost is known once its document is read."""
        if kind() != "uploads":
            return 1
        megabytes = math.ceil((request.content_length or current_app.config["MAX_CONTENT_LENGTH"]) / MEGABYTE)
        return max(1, min(megabytes, self.items["uploads"].amount))

    def spend(self, what: str, cost: int) -> None:
        """Count so much more against a limit of the caller. Raises TooManyRequests."""
        item = self.items.get(what) if cost else None
        if item and not self.limiter.limiter.hit(item, self.prefix, who(), what, cost=min(cost, item.amount)):
            raise TooManyRequests(refusal(item, what))

    def tell(self, response: Response) -> Response:
        """Say in the answer what the limits are and what is left of them."""
        windows = g.get("rate_windows", {})
        keys = {what: item.key_for(self.prefix, who(), what) for what, item in self.items.items()} if windows else {}
        told = {what: windows[key] for what, key in keys.items() if key in windows}
        if told:
            response.headers.update(shown({what: (self.items[what], window) for what, window in told.items()}))
        if response.status_code == 429 and told:
            spent = [window.seconds for what, window in told.items() if window.used > self.items[what].amount]
            response.headers.setdefault("Retry-After", str(max(spent, default=1)))
        return response


def refusal(item: RateLimitItem, what: str) -> str:
    """Return what a caller over its limit is told."""
    return f"More than {item.amount:,} {what} in {item.get_expiry():,} s; Retry-After says when there are more."


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
