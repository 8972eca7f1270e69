"""An embedded Valkey as Redis, on a socket: that of the queues persists everything, that of the cache nothing."""

import contextlib
import socket
from urllib.parse import quote

from catalog.stack import programs
from catalog.stack.places import Places
from catalog.stack.server import Server

QUEUE = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
CACHE = {"appendonly": "no", "maxmemory-policy": "allkeys-lru", "maxmemory": "128mb"}


class Redis(Server):
    """A Redis named `redis-queue` or `redis-cache`, with its data in the folder of that name."""

    def __init__(self, places: Places, name: str, settings: dict[str, str]) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.log = places.logs / f"{name}.log"
        self.folder = places.data / name
        self.socket = places.socket(name)
        self.address = str(self.socket)

    @property
    def url(self) -> str:
        """The URL for redis-py and RQ."""
        return f"unix://{quote(str(self.socket))}?db=0"

    def prepare(self) -> None:
        """Make the folders, and find the program."""
        self.program = programs.redis_server()
        self.version = programs.version(self.program)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """Return the command line; it names the data folder and stays readable, so that left-overs are found by it."""
        given = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
        }
        given |= {"save": "", "set-proc-title": "no", "daemonize": "no", **self.settings}
        given["rdb-version-check"] = "relaxed"  # else it refuses files of Redis 7.4 and later, which ran here from PATH
        return [str(self.program), *(part for name, value in given.items() for part in (f"--{name}", value))]

    def is_ready(self) -> bool:
        """Whether it answers PING; while it still loads its data it answers with an error."""
        if not self.is_running():
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False
