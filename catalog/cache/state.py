"""How old the cache may be at this moment: what writes could not yet make it forget, and when it was last believed.

No reader ever gets what is older than the last acknowledged write (docs/adr/0005): while an invalidation waits, nobody
believes the cache. So its age is that of the oldest one that waits: for so long it has been of no use.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from catalog.cache import protocol
from catalog.cache.client import Client, Unreachable, pack
from catalog.cache.trust import TRUST_SECONDS

_WAITING = text(
    "SELECT count(*) AS number, coalesce(max(extract(epoch FROM clock_timestamp() - created_at)), 0)::float8 AS oldest"
    " FROM (SELECT created_at FROM cache_invalidations WHERE state <> 'fenced' ORDER BY id LIMIT 1000) AS waiting"
)


@dataclass(frozen=True)
class State:
    """How the cache is.

    `waiting` invalidations, at most 1,000 of them counted, have not reached it, the oldest for `oldest_seconds`; it was
    found to be right `checked_seconds` ago: None where nobody has asked for half a second, or nobody may believe it.
    """

    on: bool
    waiting: int = 0
    oldest_seconds: float = 0.0
    checked_seconds: float | None = None


def state(client: Client | None, keys: protocol.Keys, engine: Engine) -> State:
    """Return how the cache is; with Redis away, what PostgreSQL knows of it."""
    if client is None:
        return State(on=False)
    with engine.connect() as connection:
        row = connection.execute(_WAITING).one()
    return State(True, row.number, max(0.0, row.oldest), None if row.number else _checked(client, keys))


def _checked(client: Client, keys: protocol.Keys) -> float | None:
    try:
        left = int(client.call(pack("PTTL", keys.trust)))
    except Unreachable:
        return None
    return max(0.0, TRUST_SECONDS - left / 1000) if left > 0 else None
