"""The cache with random delays between its steps, as it is or broken in a known way.

Each broken variant is how some caching library, or a simpler draft of this one, does it. The history test
must find every one of them wrong, else it could not find ours right.
"""

import random
import time
from collections.abc import Callable
from typing import Any

from catalog.cache import protocol, reads, trust, writes

DELAY_SECONDS = 0.004

_WRITE = "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1"
_DROP = "for _, key in ipairs(KEYS) do redis.call('DEL', key) end"


def apply(name: str) -> None:
    """Slow the steps down at random and break what the variant breaks, in this process."""
    _delay(writes.Writer, "fence")
    _delay(writes.Writer, "clear")
    _delay(reads.Reader, "_acquire")
    _delay(reads.Reader, "_quietly")
    VARIANTS[name]()


def _delay(owner: Any, name: str) -> None:
    """Wait before and after a method, often not at all and sometimes long."""
    method = getattr(owner, name)

    def delayed(*args: Any, **kwargs: Any) -> Any:
        _pause()
        try:
            return method(*args, **kwargs)
        finally:
            _pause()

    setattr(owner, name, delayed)


def _pause() -> None:
    if random.random() < 0.3:
        time.sleep(random.expovariate(1 / DELAY_SECONDS))


def _as_it_is() -> None:
    pass


def _delete_after_commit() -> None:
    """What most applications do: no fence, and whoever has loaded may fill."""
    protocol.FENCE = "return 1"
    protocol.FILL = _WRITE


def _fill_without_generation() -> None:
    """A fence and a clearing, but a fill that does not look whether its lease still stands."""
    protocol.FILL = _WRITE


def _fence_without_clear() -> None:
    """Forgetting before the commit alone: who loads between that and the commit keeps what was."""
    protocol.FENCE = _DROP
    protocol.CLEAR = "return 1"


def _trust_without_a_look() -> None:
    """Copies are always believed: what could not be invalidated in an outage is served after it."""
    trust.Trust._nothing_lost = lambda self: True


def _answer_without_waiting() -> None:
    """A write that could not invalidate is answered at once, while others may still trust the cache."""
    writes.UNTIL_NOBODY_TRUSTS = 0.0
    trust.TRUST_SECONDS = 5.0


VARIANTS: dict[str, Callable[[], None]] = {
    "as_it_is": _as_it_is,
    "delete_after_commit": _delete_after_commit,
    "fill_without_generation": _fill_without_generation,
    "fence_without_clear": _fence_without_clear,
    "trust_without_a_look": _trust_without_a_look,
    "answer_without_waiting": _answer_without_waiting,
}
