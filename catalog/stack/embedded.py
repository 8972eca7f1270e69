"""An embedded PostgreSQL and two Redis under one folder."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from catalog.stack.places import Places
from catalog.stack.postgres import Postgres
from catalog.stack.redis import CACHE, QUEUE, Redis
from catalog.stack.server import Server


class Embedded:
    """The three servers. Each can be started, stopped and killed by itself: `.postgres`, `.queue`, `.cache`.

    with Embedded(folder, postgres_settings={"fsync": "off"}) as servers:
        servers.database_url, servers.redis_url, servers.cache_redis_url
    """

    def __init__(self, folder: Path | str, postgres_settings: Mapping[str, str] | None = None) -> None:
        self.places = Places(Path(folder))
        self.postgres = Postgres(self.places, postgres_settings)
        self.queue = Redis(self.places, "redis-queue", QUEUE)
        self.cache = Redis(self.places, "redis-cache", CACHE)

    @property
    def servers(self) -> list[Server]:
        """All three, the quick ones first."""
        return [self.queue, self.cache, self.postgres]

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database `catalog`."""
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        """URL of the Redis of the queues."""
        return self.queue.url

    @property
    def cache_redis_url(self) -> str:
        """URL of the Redis of the cache."""
        return self.cache.url

    def start(self) -> "Embedded":
        """Start all three and wait until they are ready (about a second); StackError if one is not."""
        self.places.create()
        start_all(self.servers)
        return self

    def stop(self) -> None:
        """Stop all three in their orderly way."""
        stop_all(self.servers, 10)

    def wipe(self) -> None:
        """Stop all three and delete their data, also what root keeps apart."""
        self.stop()
        self.places.wipe()

    def __enter__(self) -> "Embedded":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_all(servers: Sequence[Server]) -> None:
    """Start servers side by side; if one fails, stop the others and raise its StackError."""
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready()
    except BaseException:
        stop_all(servers, 2)
        raise


def stop_all(servers: Sequence[Server], seconds: float) -> None:
    """Tell all to stop at once, wait for them together, force what is left after `seconds`."""
    deadline = time.monotonic() + seconds
    for server in servers:
        server.send(server.stop_signal)
    for server in servers:
        server.wait_ended(deadline - time.monotonic())
