"""Trust: copies are believed for half a second at a time, after a look at PostgreSQL.

PostgreSQL knows of every invalidation that did not reach Redis. While there is one, nobody renews the trust,
so half a second after that write every reader goes to PostgreSQL, and only then is the write answered for.
"""

import logging
import secrets
import threading
import time

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from catalog.cache import protocol
from catalog.cache.client import Client, pack

log = logging.getLogger(__name__)

TRUST_SECONDS = 0.5
RENEW_EVERY_SECONDS = 0.2
DENIED_SECONDS = 0.05  # for this long a refusal is remembered, to ask PostgreSQL less often

_NOTHING_LOST = text("SELECT NOT EXISTS (SELECT FROM cache_invalidations WHERE state <> 'fenced')")


class Trust:
    """Renews the trust, from whatever request finds it due; most requests never come here."""

    def __init__(self, client: Client, keys: protocol.Keys, engine: Engine):
        self._client, self._keys, self._engine = client, keys, engine
        self._lock = threading.Lock()
        self._due = 0.0
        self._denied_until = 0.0

    def renew_if_due(self) -> None:
        """Renew early, so that under steady traffic the trust never lapses; one thread at a time."""
        if time.monotonic() < self._due or not self._lock.acquire(blocking=False):
            return
        try:
            self.renew()
        finally:
            self._lock.release()

    def renew(self) -> bool:
        """Ask PostgreSQL, and if nothing is lost trust the cache anew; tell whether it may be believed.

        Raises Unreachable, also for a server that was replaced and does not know yet. The order matters: first the
        server's clock, then PostgreSQL, then the trust that ends TRUST_SECONDS after that first look, however long any
        of it took.
        """
        if time.monotonic() < self._denied_until:
            return False
        self._client.confirm()
        seconds, microseconds = self._client.call(pack("TIME"))
        ends = int(seconds) * 1000 + int(microseconds) // 1000 + int(TRUST_SECONDS * 1000)
        if not self._nothing_lost():
            self._denied_until = time.monotonic() + DENIED_SECONDS
            return False
        keys = [self._keys.trust, self._keys.epoch]
        self._client.run(protocol.TRUST, keys, self._client.link().run_id, secrets.token_hex(8), ends)
        self._due = time.monotonic() + RENEW_EVERY_SECONDS
        return True

    def _nothing_lost(self) -> bool:
        try:
            with self._engine.connect() as connection:
                return bool(connection.scalar(_NOTHING_LOST))
        except SQLAlchemyError as error:
            log.warning("PostgreSQL cannot say whether the cache is right: %s", error)
            return False
