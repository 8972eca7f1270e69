"""Host names, looked up in threads of our own.

libcurl has twenty threads for names in all, so a few names whose servers are silent would delay every other receiver.
Here a name has at most one thread, and an owner no more than are free: its silent name servers do not delay the
look-ups of others. A name that had an answer is looked up in the background.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

KEPT_SECONDS = 30.0
FAILURE_KEPT_SECONDS = 3.0
STALE_SECONDS = 300.0  # how long an old answer is used while its name is looked up again
MOST_THREADS = 200
UNKNOWN_THREADS = 150  # of them for names that had no answer yet; the others are reserved for names that had one
MOST_ANSWERS = 10_000


@dataclass(frozen=True)
class Answer:
    """A name's addresses, none where it has none, until a time on the monotonic clock."""

    addresses: tuple[str, ...]
    until: float


def system_lookup(name: str) -> tuple[str, ...]:
    """Return the addresses that this machine has for a name, in the order to try; none if there are none."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found if "%" not in str(entry[4][0])))


class Names:
    """The addresses of names. `answered` is called, in another thread, whenever a lookup has ended."""

    def __init__(
        self, answered: Callable[[], None] = lambda: None, lookup: Callable[[str], tuple[str, ...]] = system_lookup
    ):
        self._answered = answered
        self._lookup = lookup
        self._answers: dict[str, Answer] = {}
        self._asked: dict[str, str] = {}  # names in look-up, and their owner; blank for names that had an answer

    def addresses(self, name: str, owner: str = "-") -> tuple[str, ...] | None:
        """Return the addresses of a name, or None while they are being looked up on behalf of `owner`."""
        answer, now = self._answers.get(name), time.monotonic()
        if answer is not None and now < answer.until:
            return answer.addresses
        known = answer is not None and bool(answer.addresses)
        if name not in self._asked and self._may_ask("" if known else owner):
            self._asked[name] = "" if known else owner
            threading.Thread(target=self._ask, args=(name,), daemon=True, name=f"name {name}").start()
        return answer.addresses if answer is not None and known and now < answer.until + STALE_SECONDS else None

    def _may_ask(self, owner: str) -> bool:
        owners = Counter(list(self._asked.values()))  # a copy: other threads remove names
        if owners.total() >= MOST_THREADS or not owner:
            return owners.total() < MOST_THREADS
        unknown = owners.total() - owners[""]
        return owners[owner] < UNKNOWN_THREADS - unknown  # never more than what is free, as in shares.py

    def wait(self, name: str, seconds: float, owner: str = "-") -> tuple[str, ...]:
        """Return the addresses of a name; none if it has none or they were not found in time."""
        end = time.monotonic() + seconds
        while (found := self.addresses(name, owner)) is None and time.monotonic() < end:
            time.sleep(0.005)
        return found or ()

    def _ask(self, name: str) -> None:
        addresses: tuple[str, ...] = ()
        try:
            addresses = self._lookup(name)
        finally:
            kept = KEPT_SECONDS if addresses else FAILURE_KEPT_SECONDS
            self._make_room()
            self._answers[name] = Answer(addresses, time.monotonic() + kept)
            self._asked.pop(name, None)
            self._answered()

    def _make_room(self) -> None:
        if len(self._answers) >= MOST_ANSWERS:
            now = time.monotonic()
            self._answers = {name: answer for name, answer in list(self._answers.items()) if now < answer.until}
