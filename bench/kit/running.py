"""The project as a user runs it, in a temporary folder: its embedded servers and every process of the Procfile."""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog import config
from catalog.stack import StackError
from catalog.stack.embedded import stop_all
from catalog.stack.program import programs
from catalog.stack.project import Project
from catalog.stack.server import tail

# For peers' WSGI applications: the same server as ours, with the same kind of process.
GUNICORN = [sys.executable, "-m", "gunicorn", "--pythonpath", str(config.ROOT), "-k", "catalog.web.worker.Worker"]
READY_SECONDS = 60
STATE_SETTINGS = ("DATABASE_URL", "POSTGRES_HOST", "REDIS_URL", "CACHE_REDIS_URL", "UPLOAD_DIR")


class Running:
    """A running copy: its API's `url`, its queue's `redis_url`, its PostgreSQL's `sockets`, a `folder` to write to.

    `environment` holds every setting of its processes.
    """

    def __init__(self, project: Project, folder: Path) -> None:
        self.folder = folder
        self.logs = project.places.logs
        self.sockets = project.places.postgres_sockets
        self.url = project.url
        self.redis_url = project.environment["REDIS_URL"]
        self.environment = dict(project.environment)
        self.programs = programs(project)

    def pid(self, name: str) -> int:
        """Return the pid of a process of the Procfile; StackError if it does not run."""
        for program in self.programs:
            if program.name == name and program.pid:
                return program.pid
        raise StackError(f"{name} does not run. See {self.logs}.")

    def tail(self, name: str) -> str:
        """Return the last lines that a process of the Procfile logged."""
        return tail(self.logs / f"{name}.log")

    def wait_ready(self) -> None:
        """Wait until the service is ready; StackError if it is not in a minute."""
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(f"{self.url}/health/ready"):
            if time.monotonic() > deadline:
                raise StackError(f"The service is not ready after {READY_SECONDS} s. See {self.logs}.")
            time.sleep(0.05)


@contextmanager
def running_project(**settings: str) -> Iterator[Running]:
    """Start the project with its normal durable settings on a free port; stop and delete it at the end.

    `settings` are settings of the service. Raises StackError with the end of a log if something does not start.
    """
    with tempfile.TemporaryDirectory(prefix="catalog-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account must get through to its data
        set_environment(folder, settings)
        project = Project()
        try:
            project.embedded.start()
            _prepare_database(project)
            running = Running(project, folder)
            try:
                for program in running.programs:
                    program.launch()
                running.wait_ready()
                yield running
            finally:
                stop_all(running.programs, 5)
        finally:
            project.embedded.wipe()


def set_environment(folder: Path, settings: dict[str, str]) -> None:
    """Point every setting of this process, and of those it starts, at a new project with its data in `folder`."""
    for name in STATE_SETTINGS:
        os.environ.pop(name, None)
    ours = {"CATALOG_ENV_FILE": os.devnull, "DATA_DIR": str(folder / "data"), "PORT": str(free_port())}
    os.environ.update({**ours, "SEED_ON_START": "false", **settings})


def free_port() -> int:
    """Return a port that nothing uses, below the range from which the system takes those of clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _prepare_database(project: Project) -> None:
    command = [sys.executable, "-m", "catalog.cli", "prepare"]
    done = subprocess.run(command, cwd=config.ROOT, env=dict(project.environment), capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"The database could not be prepared:\n{done.stdout}{done.stderr}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_answers(port: int) -> None:
    """Wait until something listens on this port; StackError if nothing does in half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise StackError(f"Nothing listens on port {port}.")
