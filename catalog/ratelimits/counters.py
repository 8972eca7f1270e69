"""The counters: in Redis for all processes together, and in each process for itself while Redis is away.

Flask-Limiter's own storage goes through redis-py, which takes several times as long and has no breaker.
"""

import functools
import math
import time
from dataclasses import dataclass
from typing import Any

from flask import g, has_request_context
from limits import RateLimitItem
from limits.storage import MemoryStorage, Storage

from catalog.cache.client import Client, Unreachable

# How much is taken, how much is taken by all, and how long the window lasts. With a third argument no more than that
# is ever taken by all.
_TAKE = """
local wanted, used = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '0')
if ARGV[3] ~= '' then wanted = math.max(0, math.min(wanted, tonumber(ARGV[3]) - used)) end
if wanted > 0 then used = redis.call('INCRBY', KEYS[1], wanted) end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {wanted, used, left}
"""

_PUT_BACK = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECRBY', KEYS[1], ARGV[1]) end
return 0
"""


@dataclass(frozen=True, slots=True)
class Window:
    """What all have taken in a window, and the seconds until it ends."""

    used: int
    left: float

    @property
    def seconds(self) -> int:
        """Whole seconds, at least one."""
        return max(1, math.ceil(self.left))


class Counters(Storage):  # type: ignore[misc]
    """The storage of `limits`; within a request `g.rate_windows` keeps what each window was seen to be, by key."""

    SCHEME = "catalog-cache"
    STORAGE_SCHEME = [SCHEME]

    def __init__(self, uri: str | None = None, *, client: Client, **_: Any):
        super().__init__(uri)
        self._client = client

    @property
    def base_exceptions(self) -> type[Exception]:
        """What an outage would raise, if it were not made up for."""
        return Unreachable

    @functools.cached_property
    def _own(self) -> MemoryStorage:
        return MemoryStorage()

    def take(self, key: str, amount: int, seconds: int, most: int | None = None) -> tuple[int, Window]:
        """Take so much and return how much it was; with `most`, only what is left of that."""
        try:
            taken, used, left = self._client.run(_TAKE, [key], amount, seconds * 1000, "" if most is None else most)
        except Unreachable:
            return self._take_alone(key, amount, seconds, most)
        return taken, Window(used, left / 1000)

    def put_back(self, key: str, amount: int) -> None:
        """Put back so much of what was taken, if its window is still the same."""
        try:
            self._client.run(_PUT_BACK, [key], amount)
        except Unreachable:
            if self._own.get(key) >= amount:
                self._own.incr(key, 1, -amount)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Take so much and return what all have taken."""
        _, window = self.take(key, amount, expiry)
        if has_request_context():
            g.setdefault("rate_windows", {})[key] = window
        return window.used

    def get(self, key: str) -> int:
        """Return what all have taken."""
        return self.take(key, 0, 1)[1].used

    def get_expiry(self, key: str) -> float:
        """Return the time.time() at which the window ends."""
        return time.time() + self.take(key, 0, 1)[1].left

    def check(self) -> bool:
        """Tell that it can count, which it always can."""
        return True

    def reset(self) -> int | None:
        """Not supported: others count in the same Redis."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Not supported."""
        raise NotImplementedError

    def _take_alone(self, key: str, amount: int, seconds: int, most: int | None) -> tuple[int, Window]:
        used = self._own.get(key)
        taken = amount if most is None else max(0, min(amount, most - used))
        if taken:
            used = self._own.incr(key, seconds, taken)
        ends = self._own.get_expiry(key)
        return taken, Window(used, max(0.0, ends - time.time()) if used else float(seconds))


def shown(windows: dict[str, tuple[RateLimitItem, Window]]) -> dict[str, str]:
    """Return the headers that tell of limits (draft-ietf-httpapi-ratelimit-headers): by name, what is left."""
    policies = [f'"{name}";q={item.amount};w={item.get_expiry()}' for name, (item, _) in windows.items()]
    states = [
        f'"{name}";r={max(0, item.amount - window.used)};t={window.seconds}' for name, (item, window) in windows.items()
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}
