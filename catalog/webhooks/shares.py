"""Fair shares: how many deliveries may be in flight for a webhook, a host and a creator. Pure, and used by one thread.

None of them may hold more slots than are free (a dynamic threshold, as in the buffers of network switches): one
that is greedy gets half of them, two get a third each, and there is always room for the next one. Webhooks whose last
attempt had no response, and new ones, share a quarter of all slots and hold one each. The others are reserved for
receivers that responded lately.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from catalog.webhooks.addresses import Refused, parse

MOST = 1024  # deliveries in flight
SHARE = 32  # of one webhook
UNPROVEN_MOST = MOST // 4  # of all webhooks whose last attempt was not answered
UNPROVEN_SHARE = 1  # of one of them, so that all webhooks of a key find a slot


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook with due deliveries: `due` counts them, up to its share."""

    webhook_id: str
    url: str
    creator: str
    due: int


@dataclass(frozen=True, slots=True)
class _Slot:
    webhook_id: str
    shared: tuple[tuple[str, str], ...]  # its host and its creator
    is_proven: bool


class Shares:
    """The slots that deliveries hold, by webhook, host and creator."""

    def __init__(self) -> None:
        self._answered: set[str] = set()
        self._held: dict[str, _Slot] = {}
        self._all = _Pool(MOST, SHARE)
        self._unproven = _Pool(UNPROVEN_MOST, UNPROVEN_SHARE)

    def rooms(self, waiting: Sequence[Waiting]) -> dict[str, int]:
        """Return how many deliveries each webhook may begin now; those that answered lately come first."""
        given: list[_Slot] = []
        for proven in (True, False):
            candidates = [one for one in waiting if (one.webhook_id in self._answered) is proven]
            random.shuffle(candidates)
            given += self._give(candidates)
        for slot in given:  # take() counts them again once their deliveries are leased
            self._count(slot, -1)
        return dict(Counter(slot.webhook_id for slot in given))

    def take(self, delivery_id: str, one: Waiting) -> None:
        """Count a delivery that begins."""
        slot = self._held[delivery_id] = self._slot(one)
        self._count(slot, 1)

    def release(self, delivery_id: str, answered: bool | None = None) -> None:
        """Count a delivery that ended. `answered` is whether there was a response, None where nothing was sent."""
        slot = self._held.pop(delivery_id, None)
        if slot is None:
            return
        self._count(slot, -1)
        if answered:
            self._answered.add(slot.webhook_id)
        elif answered is False:
            self._answered.discard(slot.webhook_id)

    def _give(self, candidates: list[Waiting]) -> list[_Slot]:
        """Give one slot to each in turn, until none needs or may have more."""
        given: list[_Slot] = []
        turn = 1
        while candidates := [one for one in candidates if one.due >= turn and self._give_one(one, given)]:
            turn += 1
        return given

    def _give_one(self, one: Waiting, given: list[_Slot]) -> bool:
        slot = self._slot(one)
        if not self._fits(slot):
            return False
        self._count(slot, 1)
        given.append(slot)
        return True

    def _slot(self, one: Waiting) -> _Slot:
        shared = (("host", host(one.url)), ("creator", one.creator))
        return _Slot(one.webhook_id, shared, one.webhook_id in self._answered)

    def _fits(self, slot: _Slot) -> bool:
        return self._all.fits(slot) and (slot.is_proven or self._unproven.fits(slot))

    def _count(self, slot: _Slot, number: int) -> None:
        self._all.count(slot, number)
        if not slot.is_proven:
            self._unproven.count(slot, number)


class _Pool:
    """A number of slots, of which a webhook may hold its share, a host or creator as many as are free."""

    def __init__(self, most: int, share: int):
        self._free, self._share = most, share
        self._busy: Counter[Any] = Counter()

    def fits(self, slot: _Slot) -> bool:
        room = min(self._free - self._busy[level] for level in slot.shared)
        return self._busy[slot.webhook_id] < min(self._share, room)

    def count(self, slot: _Slot, number: int) -> None:
        self._free -= number
        for level in (slot.webhook_id, *slot.shared):
            self._busy[level] += number
            if not self._busy[level]:
                del self._busy[level]


@lru_cache(maxsize=4096)
def host(url: str) -> str:
    """Return the server that a URL leads to, as `host:port`."""
    try:
        target = parse(url)
    except Refused:
        return url
    return f"{target.host}:{target.port}"
