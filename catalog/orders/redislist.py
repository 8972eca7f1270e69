"""The Redis list that orders come in by, as a queue that a kill neither empties nor doubles.

`LIST` is the queue. A consumer moves elements to `LIST:taken:ID`, a list of its own, and removes them from there once
they are kept, or moved to `LIST:dead`. `LIST:consumers` are the consumers there are, `LIST:alive:ID` is there while one
lives: what a consumer that is gone had taken, the others put back at the head of the queue.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from catalog.orders.content import moment

ALIVE_SECONDS = 5

_REQUEUE = """
    if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
    return redis.call('RPUSH', KEYS[2], ARGV[2])
"""
_DONE = """
    for place = 1, #ARGV, 2 do
        local held = redis.call('LREM', KEYS[1], 1, ARGV[place])
        if held == 1 and ARGV[place + 1] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[place + 1]) end
    end
"""
_STRIKE_OFF = """
    if redis.call('EXISTS', KEYS[1]) + redis.call('EXISTS', KEYS[2]) == 0 then
        return redis.call('SREM', KEYS[3], ARGV[1])
    end
    return 0
"""


@dataclass(frozen=True)
class Dead:
    """An element that could not become an order: as it was, why, and when."""

    order: bytes
    reason: str
    at: str

    @classmethod
    def now(cls, order: bytes, reason: str) -> "Dead":
        """Return an element that could not become an order just now."""
        return cls(order, reason, moment(datetime.now(UTC)))

    def dump(self) -> str:
        """Return it as JSON; an element that is no text is stored in base64."""
        try:
            order: Any = self.order.decode()
        except UnicodeDecodeError:
            order = {"base64": base64.b64encode(self.order).decode()}
        reason = self.reason.encode("utf-8", "backslashreplace").decode()
        return json.dumps({"order": order, "reason": reason, "at": self.at}, ensure_ascii=False)

    @classmethod
    def load(cls, written: bytes) -> "Dead":
        """Parse the output of `dump()`. Any other element is returned as the order itself."""
        try:
            read = json.loads(written)
            order = read["order"]
            raw = base64.b64decode(order["base64"]) if isinstance(order, dict) else order.encode()
            return cls(raw, str(read["reason"]), str(read["at"]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return cls(written, "Was not put into this list by a consumer", "")


class RedisList:
    """The list of this name, and those beside it. Every method may raise redis.RedisError."""

    def __init__(self, connection: redis.Redis, name: str):
        self._redis: Any = connection
        self.name = name
        self._dead, self._consumers = f"{name}:dead", f"{name}:consumers"
        self._requeue = self._redis.register_script(_REQUEUE)
        self._done = self._redis.register_script(_DONE)
        self._strike_off = self._redis.register_script(_STRIKE_OFF)

    def announce(self, consumer: str) -> None:
        """Show that a consumer lives; to be repeated every second."""
        with self._redis.pipeline() as pipe:
            self._announce_in(pipe, consumer).execute()

    def retire(self, consumer: str) -> None:
        """Note that a consumer ends; what it has still taken is put back."""
        self._redis.delete(self._alive(consumer))
        self._put_back(consumer)

    def wait(self, seconds: float) -> None:
        """Return when the queue holds something, or the time is over."""
        self._redis.blmove(self.name, self.name, seconds, "LEFT", "LEFT")  # its head to where it is

    def take(self, consumer: str, most: int) -> list[bytes]:
        """Move up to so many elements to the consumer's own list and return them.

        In one step with announcing the consumer: elements never lie with one whom nobody knows.
        """
        waiting = self._redis.llen(self.name)
        with self._redis.pipeline(transaction=True) as pipe:
            self._announce_in(pipe, consumer)
            for _ in range(min(most, waiting)):
                pipe.lmove(self.name, self._taken(consumer), "LEFT", "RIGHT")
            return [element for element in pipe.execute()[2:] if element is not None]

    def done(self, consumer: str, outcomes: Sequence[tuple[bytes, Dead | None]]) -> None:
        """Remove elements from the consumer's own list, the dead ones to theirs, all in one step.

        What is not in its list any more has gone back to the queue meanwhile, and is another consumer's to judge.
        """
        pairs = [(element, dead.dump() if dead else "") for element, dead in outcomes]
        self._done(keys=[self._taken(consumer), self._dead], args=[each for pair in pairs for each in pair])

    def recover(self) -> int:
        """Put back what consumers that are gone had taken; return how many elements."""
        consumers = [each.decode() for each in self._redis.smembers(self._consumers)]
        gone = [each for each in consumers if not self._redis.exists(self._alive(each))]
        return sum(map(self._put_back, gone))

    def dead(self, most: int = 0) -> list[Dead]:
        """Return the dead, the oldest first: all of them, or the first ones."""
        return [Dead.load(written) for written in self._redis.lrange(self._dead, 0, most - 1)]

    def number_dead(self) -> int:
        """Return how many are dead."""
        return int(self._redis.llen(self._dead))

    def requeue(self) -> int:
        """Move the dead there are now to the end of the queue, one by one, each once; return how many."""
        keys = [self._dead, self.name]
        found = self._redis.lrange(self._dead, 0, -1)
        return sum(bool(self._requeue(keys=keys, args=[each, Dead.load(each).order])) for each in found)

    def push(self, orders: Sequence[bytes | str]) -> None:
        """Add orders at the end of the queue."""
        self._redis.rpush(self.name, *orders)

    def waiting(self) -> int:
        """Return how many elements wait, or are taken and not kept yet."""
        lists = [self._taken(each.decode()) for each in self._redis.smembers(self._consumers)]
        return sum(self._redis.llen(name) for name in [self.name, *lists])

    def _put_back(self, consumer: str) -> int:
        """Requeue claimed orders, the last one first, to restore their order."""
        moved = 0
        while self._redis.lmove(self._taken(consumer), self.name, "RIGHT", "LEFT") is not None:
            moved += 1
        keys = [self._alive(consumer), self._taken(consumer), self._consumers]
        self._strike_off(keys=keys, args=[consumer])  # unless it was not gone after all
        return moved

    def _announce_in(self, pipe: Any, consumer: str) -> Any:
        return pipe.sadd(self._consumers, consumer).set(self._alive(consumer), "1", ex=ALIVE_SECONDS)

    def _taken(self, consumer: str) -> str:
        return f"{self.name}:taken:{consumer}"

    def _alive(self, consumer: str) -> str:
        return f"{self.name}:alive:{consumer}"
