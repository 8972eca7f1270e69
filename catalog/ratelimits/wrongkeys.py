"""Wrong keys, counted by address: who tries many is told to wait, and who has a right one never is."""

from collections.abc import Callable

from flask import has_request_context

from catalog.access import Caller
from catalog.errors import TooManyRequests, Unauthorized
from catalog.ratelimits.callers import by_address
from catalog.ratelimits.counters import Counters
from catalog.ratelimits.rates import Rate

Check = Callable[[str, str], Caller]


class WrongKeys:
    """A check of keys, around that of the keyring."""

    def __init__(self, check: Check, counters: Counters, rate: Rate, prefix: str):
        self._check, self._counters, self._rate = check, counters, rate
        self._prefix = f"{prefix}:wrong-keys"

    def __call__(self, key: str, address: str) -> Caller:
        """Return whose key it is. Raises TooManyRequests in place of Unauthorized, and all that the check raises."""
        try:
            return self._check(key, address)
        except Unauthorized:
            if has_request_context():  # what answers before Flask only looks, and leaves the answer to Flask
                self._count(address)
            raise

    def _count(self, address: str) -> None:
        rate = self._rate
        _, window = self._counters.take(f"{self._prefix}:{by_address(address)}", 1, rate.seconds)
        if window.used > rate.amount:
            raise TooManyRequests(
                f"More than {rate.amount:,} wrong keys in {rate.seconds:,} s came from this address.",
                Retry_After=str(window.seconds),
            )
