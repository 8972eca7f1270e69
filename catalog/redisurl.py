"""What a URL of a Redis names: one server, or the master that Sentinels know. Every client of Redis is made here.

redis://user:password@host:6379/0                   also rediss:// and unix:///socket?db=0
redis+sentinel://user:password@one:26379,two:26379/mymaster/0?sentinel_password=…       also rediss+sentinel://
"""

import functools
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

SENTINEL = "+sentinel"
SENTINEL_PORT = 26379
SENTINEL_SECONDS = 0.25  # how long one Sentinel is waited for before the next is asked

Address = tuple[str, int]


class Server:
    """A Redis at an address. `options` are redis-py's: host and port, or path; db, username, password, ssl."""

    def __init__(self, url: str):
        self._url = url
        self.options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        tls = "SSL" in getattr(self.options.pop("connection_class", None), "__name__", "")
        self.options |= {"ssl": True} if tls else {}

    def master(self) -> Address | None:
        """Return where Sentinel sees the master now; None where no Sentinel is asked.

        Raises redis.ConnectionError while there is no master, or no Sentinel that answers.
        """
        return None

    def is_master(self, address: Address) -> bool:
        """Tell whether most of the Sentinels take this for the master's address."""
        return True

    def client(self, **waits: Any) -> redis.Redis:
        """Return a client of redis-py with these timeouts and retries."""
        return redis.Redis.from_url(self._url, **waits)


class Watched(Server):
    """The Redis that Sentinels take for the master; its clients find it again after a failover."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        service, _, number = parts.path.strip("/").partition("/")
        if not service:
            raise ValueError("it names no service")
        self._service = unquote(service)
        self.options = {**_login(login), "db": int(number or 0)}
        self.options |= {"ssl": True} if parts.scheme == f"rediss{SENTINEL}" else {}
        waits = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS, "retry": at_once()}
        kept = {name: self.options[name] for name in ("ssl",) if name in self.options}
        addresses = [_address(host) for host in hosts.split(",")]
        options = {**waits, **kept, **_sentinel_login(parts.query)}
        self._sentinel = Sentinel(addresses, sentinel_kwargs=options)  # type: ignore[no-untyped-call]

    def master(self) -> Address | None:
        """Return where Sentinel sees the master now."""
        address: Address = self._sentinel.discover_master(self._service)  # type: ignore[no-untyped-call]
        return address

    def is_master(self, address: Address) -> bool:
        """Tell whether most of the Sentinels take this for the master's address, which they never do of two."""
        agreeing = 0
        for sentinel in list(self._sentinel.sentinels):
            agreeing += self._named_by(sentinel) == address
            if agreeing > len(self._sentinel.sentinels) / 2:
                return True
        return False

    def _named_by(self, sentinel: Any) -> Address | None:
        try:
            found = sentinel.sentinel_get_master_addr_by_name(self._service)
        except redis.RedisError:
            # The next time it is asked last. Another list, since others may be going through this one.
            self._sentinel.sentinels = sorted(self._sentinel.sentinels, key=lambda other: other is sentinel)
            return None
        return (found[0].decode(), found[1]) if found else None

    def client(self, **waits: Any) -> redis.Redis:
        """Return a client of redis-py that asks Sentinel for each of its connections."""
        found: redis.Redis = self._sentinel.master_for(self._service, **self.options, **waits)  # type: ignore
        return found


@functools.cache
def server(url: str) -> Server:
    """Return the server that a URL names, one for all who use it. Raises ValueError."""
    return Watched(url) if urlsplit(url).scheme.endswith(SENTINEL) else Server(url)


def client(url: str, **waits: Any) -> redis.Redis:
    """Return a client of redis-py of the server that a URL names, with these timeouts and retries."""
    return server(url).client(**waits)


def at_once() -> Retry:
    """Return the retries of a client that has something better to do than wait: none."""
    return Retry(NoBackoff(), 0)


def through_a_failover() -> Retry:
    """Return the retries of a client that waits for its server, for about 15 s."""
    return Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.1), 30)


def _login(login: str) -> dict[str, str]:
    username, _, password = map(unquote, login.partition(":"))
    return {name: value for name, value in {"username": username, "password": password}.items() if value}


def _sentinel_login(query: str) -> dict[str, str]:
    given = {name: values[0] for name, values in parse_qs(query, strict_parsing=bool(query)).items()}
    if not given.keys() <= {"sentinel_username", "sentinel_password"}:
        raise ValueError("it has an option that is not known")
    return {name.removeprefix("sentinel_"): value for name, value in given.items()}


def _address(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("it names no host")
    return parts.hostname, parts.port or SENTINEL_PORT
