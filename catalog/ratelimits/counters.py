"""The counters: in Redis for all processes together, and in each process for itself while Redis is away."""

import math
from dataclasses import dataclass

from catalog.cache.client import Client, Unreachable
from catalog.ratelimits.local_counters import LocalCounters
from catalog.ratelimits.rates import Rate

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


class Counters:
    """Fixed windows in the Redis of `client`."""

    def __init__(self, *, client: Client):
        self._client, self._local = client, LocalCounters()

    def take(self, key: str, amount: int, seconds: int, most: int | None = None) -> tuple[int, Window]:
        """Take so much and return how much it was; with `most`, only what is left of that."""
        try:
            taken, used, left = self._client.run(_TAKE, [key], amount, seconds * 1000, "" if most is None else most)
        except Unreachable:
            taken, used, seconds_left = self._local.take(key, amount, seconds, most)
            return taken, Window(used, seconds_left)
        return taken, Window(used, left / 1000)

    def put_back(self, key: str, amount: int) -> None:
        """Put back so much of what was taken, if its window is still the same."""
        try:
            self._client.run(_PUT_BACK, [key], amount)
        except Unreachable:
            self._local.put_back(key, amount)


def shown(windows: dict[str, tuple[Rate, Window]]) -> dict[str, str]:
    """Return the headers that tell of limits (draft-ietf-httpapi-ratelimit-headers): by name, what is left."""
    policies = [f'"{name}";q={rate.amount};w={rate.seconds}' for name, (rate, _) in windows.items()]
    states = [
        f'"{name}";r={max(0, rate.amount - window.used)};t={window.seconds}' for name, (rate, window) in windows.items()
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}
