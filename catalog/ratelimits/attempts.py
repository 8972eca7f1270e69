"""Attempts to sign in: counted for what was tried and for where it came from; those that succeed are put back."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from catalog.errors import Forbidden, TooManyRequests, Unauthorized, ValidationFailed
from catalog.ratelimits.callers import by_address
from catalog.ratelimits.counters import Counters
from catalog.ratelimits.rates import Rate


class Attempts:
    """The attempts of one application; `rates` are the limits for each `name` and each `address`."""

    def __init__(self, counters: Counters, rates: Mapping[str, Rate], prefix: str):
        self._counters, self._rates, self._prefix = counters, rates, f"{prefix}:sign-in"

    @contextmanager
    def one(self, name: str | None, address: str) -> Iterator[None]:
        """Count one attempt for as long as the block takes, and for good if it is refused.

        It is counted before the block, so that not even many at once get further; the address first, so that one
        which is locked out locks out no name. Raises TooManyRequests.
        """
        tried = {"address": by_address(address), "name": name}
        keys = {kind: self._key(kind, who) for kind, who in tried.items() if who is not None}
        for kind, key in keys.items():
            self._take(self._rates[kind], key)
        is_refused = False
        try:
            yield
        except (Unauthorized, Forbidden, ValidationFailed):
            is_refused = True
            raise
        finally:
            for key in () if is_refused else keys.values():
                self._counters.put_back(key, 1)

    def _take(self, rate: Rate, key: str) -> None:
        _, window = self._counters.take(key, 1, rate.seconds)
        if window.used > rate.amount:
            minutes = -(-window.seconds // 60)
            wait = f"{minutes} minutes" if minutes > 1 else "a minute"
            raise TooManyRequests(
                f"There were too many failed attempts. Please try again in {wait}.", Retry_After=str(window.seconds)
            )

    def _key(self, kind: str, who: str) -> str:
        return f"{self._prefix}:{kind}:{hashlib.sha256(who.encode()).hexdigest()[:32]}"
