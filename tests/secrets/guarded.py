"""The service with a password on every server it uses, everything logged, and all of it searchable."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import redis

from catalog import redisurl
from catalog.config import ROOT
from catalog.stack.redis import Redis
from tests import forked
from tests.faults.service import Process, Service
from tests.secrets import canaries
from tests.secrets.canaries import Canaries, Place

QUEUES = ("imports", "orders")


class Guarded(Service):
    """All processes of the service; `said` is what commands printed, as places to search."""

    def __init__(self, folder: Path, known: Canaries) -> None:
        super().__init__(folder)
        self.servers.postgres.settings["fsync"] = "off"  # nothing here has to outlive the machine
        self.known, self.folder = known, folder
        self.passwords = {name: known.text(name) for name in ("redis-queue", "redis-cache")}
        self.keys = [known.key(), known.key()]
        self.said: list[Place] = []
        self.environment.update(self._settings())
        workers = (("-m", "catalog.cli", "worker", name) for name in QUEUES)
        self.processes += [Process(f"worker-{command[-1]}", folder, self.environment, *command) for command in workers]

    def _settings(self) -> dict[str, str]:
        queue, cache = (self._redis_url(server) for server in (self.servers.queue, self.servers.cache))
        return {
            "DATABASE_URL": self.servers.database_url.replace("postgres@", f"postgres:{self.known.text('database')}@"),
            "POSTGRES_PASSWORD": self.known.text("postgres"),
            "REDIS_URL": queue,
            "CACHE_REDIS_URL": cache,
            "ORDER_QUEUE_REDIS_URL": queue,
            "SECRET_KEY": self.known.text("secret-key"),
            "ENCRYPTION_KEYS": self.keys[0],
            "FAKESTORE_URL": f"http://user:{self.known.text('fakestore')}@127.0.0.1:9",
            "LOG_LEVEL": "DEBUG",
            "CATALOG_ENV": "development",
        }

    def _redis_url(self, server) -> str:
        return f"unix://:{self.passwords[server.name]}@{quote(str(server.socket))}?db=0"

    def start(self) -> None:
        """Start the servers, give the two Redis their passwords, then start the rest."""
        self.servers.start()
        self.lock_redis()
        self.command("prepare")
        self.mend()

    def lock_redis(self, suffix: str = "") -> None:
        """Have both Redis ask for their password, or with a suffix for another one that nobody knows."""
        for server in (self.servers.queue, self.servers.cache):
            client = _client(server)
            for password in (None, self.passwords[server.name], f"{self.passwords[server.name]}-other"):
                with contextlib.suppress(redis.AuthenticationError, redis.ResponseError):
                    client = _client(server, password)
                    client.config_set("requirepass", self.passwords[server.name] + suffix)
                    client.client_kill_filter(_type="normal", skipme=True)  # who is in must ask again
                    break
            client.close()

    def command(
        self, *verb: str, module: str = "catalog.cli", typed: str = "", **settings: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, with what is typed into it, and keep what it prints.

        In a folder of its own: in the service's, `manage.py` would take the servers for left behind, and stop them.
        """
        environment = {**self.environment, "DATA_DIR": str(self.folder / "commands"), **settings}
        command = [sys.executable, "-m", module, *verb]
        if module == "catalog.cli":
            forked_run = forked.run(command[2:], environment)
            output, errors = forked_run.stdout.encode(), forked_run.stderr.encode()
            ended = subprocess.CompletedProcess(command, forked_run.returncode, output, errors)
        else:
            ended = subprocess.run(
                command, cwd=ROOT, env=environment, input=typed.encode(), capture_output=True, check=False, timeout=120
            )
        self.said.append((f"output of {' '.join(verb)}", ended.stdout + ended.stderr))
        return ended

    def again(self, *servers) -> None:
        """Kill and start again."""
        for server in servers:
            self._again(server)

    def places(self) -> Iterator[Place]:
        """Yield everything that there is to search, save the answers."""
        yield from self.said
        yield from canaries.tables(self.environment["DATABASE_URL"].replace("+psycopg2", ""))
        for server in (self.servers.queue, self.servers.cache):
            with _client(server, self.passwords[server.name]) as client:
                yield from canaries.keys(server.name, client)
        yield from canaries.files(self.folder, self.servers.places.postgres_home)


def _client(server: Redis, password: str | None = None) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket), password=password, retry=redisurl.at_once())


@contextlib.contextmanager
def running(folder: Path, known: Canaries) -> Iterator[Guarded]:
    """Run the service; it is gone afterwards."""
    folder.chmod(0o711)
    service = Guarded(folder, known)
    try:
        service.start()
        yield service
    finally:
        service.stop()
