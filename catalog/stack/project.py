"""What this copy of the project is set to: its settings, its folders, and which servers it brings itself."""

import os
import socket
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from catalog import config
from catalog.stack.embedded import Embedded
from catalog.stack.errors import StackError
from catalog.stack.server import Server


class Project:
    """Read once for a command; `root` is the folder with the Procfile."""

    def __init__(self) -> None:
        self.root = config.ROOT
        _read_env_file()
        self.embedded = Embedded(Path(os.environ.get("DATA_DIR", "").strip() or self.root / "data"))
        self.places = self.embedded.places
        self.outer_environment = dict(os.environ)
        self.servers = self._own_servers()

    def _own_servers(self) -> list[Server]:
        """Return the embedded servers to run, those without a URL in the settings; none in production."""
        if os.environ.get("CATALOG_ENV", "").strip() == "production":
            return []
        given = {
            self.embedded.queue: _is_set("REDIS_URL") or _is_set("REDIS_HOST"),
            self.embedded.cache: _is_set("CACHE_REDIS_URL") or _is_set("REDIS_HOST"),
            self.embedded.postgres: _is_set("DATABASE_URL") or _is_set("POSTGRES_HOST"),
        }
        return [server for server, elsewhere in given.items() if not elsewhere]

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment of every process of this project, with the URLs of its own servers."""
        urls = {
            self.embedded.queue: ("REDIS_URL", self.embedded.redis_url),
            self.embedded.cache: ("CACHE_REDIS_URL", self.embedded.cache_redis_url),
            self.embedded.postgres: ("DATABASE_URL", self.embedded.database_url),
        }
        paths = {"PYTHONPATH": _first(self.root, "PYTHONPATH"), "PYTHONUNBUFFERED": "1"}
        return {**self.outer_environment, **paths, **dict(urls[server] for server in self.servers)}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings; StackError that names each one that cannot be used."""
        os.environ.update(self.environment)
        try:
            return config.load()
        except config.ConfigError as error:
            raise StackError(str(error)) from error

    @property
    def address(self) -> tuple[str, int]:
        """Host and port at which this machine reaches the web server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings["HOST"], self.settings["HOST"])  # noqa: S104  # nosec B104
        return host, self.settings["PORT"]

    @property
    def url(self) -> str:
        """The web server's URL, without a slash at its end."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def listens(self) -> bool:
        """Whether something takes connections at our address."""
        try:
            socket.create_connection(self.address, timeout=1).close()
        except OSError:
            return False
        return True

    def check_port(self) -> None:
        """StackError if something else listens on the port, naming it and how to take another one."""
        host, port = self.settings["HOST"], self.settings["PORT"]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise StackError(
                    f"Cannot listen on {host}:{port}: {error.strerror}{_user_of(port)}.\n"
                    f"Take another port:  PORT={port + 1} python3 manage.py start   (or set PORT in .env)"
                ) from error


def _read_env_file() -> None:
    from dotenv import load_dotenv

    load_dotenv(os.environ.get("CATALOG_ENV_FILE", config.ROOT / ".env"))


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name, "").strip())


def _first(folder: Path, variable: str) -> str:
    others = [part for part in os.environ.get(variable, "").split(os.pathsep) if part and part != str(folder)]
    return os.pathsep.join([str(folder), *others])


def _user_of(port: int) -> str:
    """Return who listens on the port, such as ` by python3 (pid 12)`, where the system lets us know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                return f" (by {psutil.Process(connection.pid).name()}, pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
