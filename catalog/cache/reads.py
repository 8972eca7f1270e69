"""Reading through the cache: a copy if there is one that may be believed, else one loader for all."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from catalog import metrics
from catalog.cache import protocol
from catalog.cache.client import Client, Unreachable
from catalog.cache.trust import Trust

HERD_SECONDS = 0.2  # waiting longer for another's load costs more than a second load
HERD_POLL_SECONDS = 0.005

HIT, MISS, BYPASS = "HIT", "MISS", "BYPASS"


@dataclass(frozen=True, slots=True)
class Copy:
    """JSON as it is answered. `outcome` is HIT, MISS or BYPASS; `etag` is quoted, or empty."""

    body: bytes
    etag: str
    outcome: str

    @property
    def value(self) -> Any:
        """Return the value that the JSON stands for."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Found:
    """What a loader found: the copy's bytes as they are to lie in Redis, and for how long, in seconds."""

    payload: bytes
    ttl: float


class Reader:
    """Looks entries up and fills them."""

    def __init__(self, client: Client, keys: protocol.Keys, trust: Trust, code: str):
        self._client, self._keys, self._trust = client, keys, trust
        self._head = f"V{code} ".encode()
        self._tail = b"$%d\r\n%b\r\n" % (len(keys.trust), keys.trust.encode())

    def peek(self, name: str) -> bytes | None:
        """Return the payload of a copy that may be believed, or None; one round trip. Raises Unreachable."""
        entry, trust, generation = self._look(name)
        if entry is None or trust is None or generation is None:
            return None
        if not trust.startswith(self._client.link().run_id):
            return None  # kept by a server that has been restarted since
        self._trust.renew_if_due()
        stamp = self._head + trust + b" " + generation + b"\n"
        return entry[len(stamp) :] if entry.startswith(stamp) else None

    def _look(self, name: str) -> list[bytes | None]:
        key, space = self._keys.of(name).encode(), self._keys.space_of(name).encode()
        command = b"*4\r\n$4\r\nMGET\r\n$%d\r\n%b\r\n%b$%d\r\n%b\r\n"
        return self._client.call(command % (len(key), key, self._tail, len(space), space))  # type: ignore[no-any-return]

    def read(self, name: str, load: Callable[[], Found]) -> tuple[bytes, str]:
        """Return the payload of a name and HIT, MISS or BYPASS; `load` asks PostgreSQL and may raise.

        Whatever the cache does, the answer is at most one load away.
        """
        try:
            payload, outcome = self._through(name, load)
        except Unreachable:
            payload, outcome = load().payload, BYPASS
        metrics.cache_reads[outcome].inc()
        return payload, outcome

    def _through(self, name: str, load: Callable[[], Found]) -> tuple[bytes, str]:
        payload = self.peek(name)
        if payload is not None:
            return payload, HIT
        deadline = time.monotonic() + HERD_SECONDS
        lease = protocol.token("L")
        state, *rest = self._acquire(name, lease)
        while state == b"busy" and time.monotonic() < deadline:
            time.sleep(HERD_POLL_SECONDS)
            state, *rest = self._acquire(name, lease)
        if state == b"load":
            return self._load_and_fill(name, lease, rest[0], load), MISS
        payload = self.peek(name) if state == b"copy" else None
        return (load().payload, BYPASS) if payload is None else (payload, HIT)

    def _acquire(self, name: str, lease: str) -> list[bytes]:
        """Ask for the copy, else for the right to load it; trust that has lapsed is renewed first."""
        reply = self._try_to_acquire(name, lease)
        if reply[0] == b"untrusted" and self._trust.renew():
            reply = self._try_to_acquire(name, lease)
        return reply

    def _try_to_acquire(self, name: str, lease: str) -> list[bytes]:
        keys = [self._keys.of(name), self._keys.trust, self._keys.space_of(name)]
        run_id = self._client.link().run_id
        generation = protocol.token("G")
        reply = self._client.run(
            protocol.ACQUIRE, keys, self._head, lease, protocol.LOAD_MILLISECONDS, generation, run_id
        )
        if self._client.link().run_id != run_id:
            raise Unreachable("The cache was restarted")
        return reply  # type: ignore[no-any-return]

    def _load_and_fill(self, name: str, lease: str, stamp: bytes, load: Callable[[], Found]) -> bytes:
        key = [self._keys.of(name)]
        try:
            found = load()
        except BaseException:
            self._quietly(protocol.RELEASE, key, lease)
            raise
        filled = self._quietly(protocol.FILL, key, lease, stamp + found.payload, int(found.ttl * 1000))
        if not filled:
            metrics.cache_fills_refused.inc()
        return found.payload

    def _quietly(self, source: str, key: list[str], *arguments: bytes | str | int) -> Any:
        """Run a script whose failure costs nothing but the copy."""
        try:
            return self._client.run(source, key, *arguments)
        except Unreachable:
            return None
