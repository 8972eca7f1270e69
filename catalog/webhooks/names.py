"""Host names, looked up in threads of our own.

libcurl has twenty threads for names in all, so a few names whose servers are silent would hold up every other
receiver. Here a name has at most one thread, whoever waits for it.
"""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

KEPT_SECONDS = 30.0
FAILURE_KEPT_SECONDS = 3.0
MOST_THREADS = 200


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
        self._asked: set[str] = set()

    def addresses(self, name: str) -> tuple[str, ...] | None:
        """Return the addresses of a name, or None while they are being looked up."""
        answer = self._answers.get(name)
        if answer is not None and time.monotonic() < answer.until:
            return answer.addresses
        if name not in self._asked and len(self._asked) < MOST_THREADS:
            self._asked.add(name)
            threading.Thread(target=self._ask, args=(name,), daemon=True, name=f"name {name}").start()
        return None

    def wait(self, name: str, seconds: float) -> tuple[str, ...]:
        """Return the addresses of a name; none if it has none or they were not found in time."""
        end = time.monotonic() + seconds
        while (found := self.addresses(name)) is None and time.monotonic() < end:
            time.sleep(0.005)
        return found or ()

    def _ask(self, name: str) -> None:
        addresses: tuple[str, ...] = ()
        try:
            addresses = self._lookup(name)
        finally:
            kept = KEPT_SECONDS if addresses else FAILURE_KEPT_SECONDS
            self._answers[name] = Answer(addresses, time.monotonic() + kept)
            self._asked.discard(name)
            self._answered()
