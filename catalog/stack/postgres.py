"""The embedded PostgreSQL 18: one cluster on one socket, reached by nobody but its own account."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from urllib.parse import quote

from catalog.stack import ownership, programs
from catalog.stack.errors import StackError
from catalog.stack.places import Places
from catalog.stack.server import Server

# For a laptop. fsync stays on: what was answered for is on the disk. wal_compression stays off: here it is pglz, which
# saved 16 % of the WAL and made a load with two indexes 10 % slower.
SETTINGS = {
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres(Server):
    """A PostgreSQL under `places.postgres_home` with a database `catalog` in it.

    `settings` are server settings, over those above; `{"fsync": "off"}` is for tests.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: ends sessions, writes a checkpoint
    last_signal = signal.SIGQUIT  # immediate: recovers from the WAL at the next start

    def __init__(self, places: Places, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.places = places
        self.settings = {**SETTINGS, **(settings or {})}
        self.account = places.account
        self.log = places.logs / "postgres.log"
        self.folder = places.postgres_home / "postgres"
        self.sockets = places.postgres_sockets
        self.address = str(self.sockets)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return f"postgresql+psycopg2://postgres@/catalog?host={quote(str(self.sockets))}"

    def stop(self, seconds: float = 10, mode: str = "fast") -> None:
        """Stop the server; `mode` "immediate" leaves it to recover, as after a crash."""
        self.send(signal.SIGQUIT if mode == "immediate" else self.stop_signal)
        self.wait_ended(seconds)

    def kill(self) -> None:
        """Kill the server and its sessions, and wait: a session that outlives it would hinder the next start."""
        import psutil

        family = psutil.Process(self.pid).children() if self.pid else []
        super().kill()
        for session in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                session.kill()
        psutil.wait_procs(family, timeout=5)

    def prepare(self) -> None:
        """Make the cluster if there is none, and put away what a killed server left."""
        self.programs = programs.postgres_folder(self.places)
        self.version = programs.version(self.programs / "postgres")
        self.places.give(self.sockets)
        if not (self.folder / "PG_VERSION").exists():
            self._init()
        self._forget_dead_server()

    def command(self) -> list[str]:
        """Return the server's command line; it names the data folder, by which left-overs are found."""
        given = {**self.settings, "listen_addresses": "", "unix_socket_directories": str(self.sockets)}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder), *options]

    def environment(self) -> Mapping[str, str]:
        """Return the environment without PG* variables, which could point the server elsewhere."""
        return {name: value for name, value in os.environ.items() if not name.startswith("PG")}

    def is_ready(self) -> bool:
        """Whether the server takes connections; makes the database `catalog` the first time."""
        import psycopg2

        if not self.is_running():
            return False
        try:
            connection = psycopg2.connect(host=str(self.sockets), user="postgres", dbname="postgres")
        except psycopg2.OperationalError:
            return False
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = 'catalog'")
            if cursor.fetchone() is None:
                cursor.execute("CREATE DATABASE catalog")
        connection.close()
        return True

    def _init(self) -> None:
        """Make the cluster beside its place, then rename: a cluster that exists is whole."""
        draft = self.folder.with_name("postgres.draft")
        shutil.rmtree(draft, ignore_errors=True)
        self.places.give(draft)
        made = subprocess.run(
            [self.programs / "initdb", "-D", draft, *self._init_options()],
            cwd=draft,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if made.returncode:
            raise StackError(f"initdb could not make {self.folder}:\n{made.stderr or made.stdout}")
        draft.rename(self.folder)

    def _init_options(self) -> list[str]:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8"]
        options += ["--locale-provider=builtin", "--locale=C.UTF-8"]
        return [*options, "--no-sync"] if self.settings.get("fsync") == "off" else options

    def _forget_dead_server(self) -> None:
        """Remove a lock file whose process id now belongs to some other program: PostgreSQL would refuse to start."""
        import psutil

        lock = self.folder / "postmaster.pid"
        if not lock.exists():
            return
        try:
            command = psutil.Process(int(ownership.read_start(lock).split("\n", 1)[0])).cmdline()
        except (OSError, ValueError, psutil.Error):
            command = []
        if str(self.folder) not in command:
            lock.unlink()
