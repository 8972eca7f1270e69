"""A Redis for the queues and one for the cache, each with a replica, and three Sentinels over both, on this machine."""

import contextlib
from pathlib import Path

import redis

from catalog.stack import programs
from catalog.stack.embedded import start_all
from catalog.stack.redis import CACHE, QUEUE
from catalog.stack.server import Server
from tests.processes import free_port, wait_for

QUORUM = 2
SENTINELS = 3
# Sentinels that share their votes begin the next election after twice as long: docs/adr/0023.
FAILOVER_TIMEOUT_MS = 3_000


class Node(Server):
    """One `valkey-server` on a port of its own, a replica if it is given a `master`."""

    def __init__(self, folder: Path, name: str, settings: dict[str, str], master: "Node | None" = None) -> None:
        super().__init__()
        self.name, self.port = name, free_port()
        self.folder, self.log = folder / name, folder / f"{name}.log"
        following = {"replicaof": f"127.0.0.1 {master.port}"} if master else {}
        self._settings = {"save": '""', "repl-diskless-sync-delay": "0", **settings, **following}

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), **self._settings}
        self._write("".join(f"{name} {value}\n" for name, value in lines.items()))

    def _write(self, text: str) -> None:
        """Sentinel and its servers keep in their files what they learn, so only the first start writes one."""
        file = self.folder / "redis.conf"
        if not file.exists():
            file.write_text(text)

    def command(self) -> list[str]:
        return [str(programs.redis_server()), str(self.folder / "redis.conf")]

    def is_ready(self) -> bool:
        if not self.is_running():
            return False
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=1)


class Watcher(Node):
    """One Sentinel."""

    def __init__(self, folder: Path, name: str, masters: dict[str, Node], down_after: float) -> None:
        super().__init__(folder, name, {})
        self._masters, self._milliseconds = masters, int(down_after * 1000)

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}\n"]
        for service, master in self._masters.items():
            lines.append(
                f"sentinel monitor {service} 127.0.0.1 {master.port} {QUORUM}\n"
                f"sentinel down-after-milliseconds {service} {self._milliseconds}\n"
                f"sentinel failover-timeout {service} {FAILOVER_TIMEOUT_MS}\n"
            )
        self._write("".join(lines))

    def command(self) -> list[str]:
        return [*super().command(), "--sentinel"]


class Cluster:
    """The seven of them. `down_after` is how long a master may be silent, in seconds."""

    def __init__(self, folder: Path, down_after: float) -> None:
        self.first = {"queue": Node(folder, "queue-1", QUEUE), "cache": Node(folder, "cache-1", CACHE)}
        self.second = {
            "queue": Node(folder, "queue-2", QUEUE, self.first["queue"]),
            "cache": Node(folder, "cache-2", CACHE, self.first["cache"]),
        }
        self.watchers = [
            Watcher(folder, f"sentinel-{number}", self.first, down_after) for number in range(1, SENTINELS + 1)
        ]

    @property
    def servers(self) -> list[Node]:
        return [*self.first.values(), *self.second.values(), *self.watchers]

    def url(self, service: str, number: int = 0) -> str:
        """Return the URL of the master of a service, `queue` or `cache`."""
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in self.watchers)
        return f"redis+sentinel://{hosts}/{service}/{number}"

    def start(self) -> None:
        """Start all of them, and wait until a failover would succeed."""
        start_all([*self.first.values(), *self.second.values()])
        start_all(self.watchers)
        for service in self.first:
            wait_for(lambda service=service: all(self._knows(watcher, service) for watcher in self.watchers), 30)

    def _knows(self, watcher: Watcher, service: str) -> bool:
        with watcher.client() as client:
            state = client.sentinel_master(service)
            ready = state["num-slaves"] == 1 and state["num-other-sentinels"] == SENTINELS - 1
            return ready and client.sentinel_slaves(service)[0]["master-link-status"] == "ok"

    def master(self, service: str) -> Node:
        """Return the server that Sentinel takes for the master."""
        with self.watchers[0].client() as client:
            _, port = client.sentinel_get_master_addr_by_name(service)
        return next(node for node in (self.first[service], self.second[service]) if node.port == int(port))

    def other(self, service: str) -> Node:
        """Return the server that it does not."""
        return next(node for node in (self.first[service], self.second[service]) if node is not self.master(service))

    def fail_over(self, service: str) -> Node:
        """Have Sentinel make the replica the master while the master lives; return the new one when all know of it."""
        before = self.master(service)
        with self.watchers[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", service)
        wait_for(lambda: all(self.sees_another(watcher, service, before) for watcher in self.watchers), 30)
        return self.master(service)

    def sees_another(self, watcher: Watcher, service: str, old: Node) -> bool:
        """Tell whether a Sentinel takes another server than this one for the master."""
        with watcher.client() as client:
            return int(client.sentinel_get_master_addr_by_name(service)[1]) != old.port

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.kill()
