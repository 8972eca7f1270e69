"""Whole copies of the project in folders of their own, run as a user runs them."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from catalog import config
from catalog.stack import leftovers
from catalog.stack.places import Places
from catalog.stack.state import State
from tests import servers
from tests.processes import free_port

PARTS = ("catalog", "migrations", "wsgi.py", "Procfile", "gunicorn.conf.py", "pyproject.toml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These start servers of their own, which are not where the tests run on given ones."""
    reason = "starts a PostgreSQL and Redis of its own, and here are none but those that are given"
    for item in items:
        if servers.GIVEN and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


class Copy:
    """A copy of the project with a port of its own; its Python and its packages are those of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.places = Places(folder / "data")
        for part in PARTS:
            source = config.ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)

    @property
    def environment(self) -> dict[str, str]:
        ours = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        kept = {name: os.environ[name] for name in ours if name in os.environ}
        return {**kept, "PORT": str(self.port), "PYTHONPATH": str(self.folder), "WEB_WORKERS": "1"}

    def run(self, *verb: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end; its output and its errors are in `stdout`."""
        return subprocess.run(
            [sys.executable, "-m", "catalog.cli", *verb],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
        )

    def start(self) -> None:
        started = self.run("start")
        assert started.returncode == 0, started.stdout

    def get(self, path: str) -> int:
        """Return the status of a GET, 0 if nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    @property
    def products(self) -> int:
        """How many products the service has."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/products?limit=1", timeout=10) as answer:
            return int(json.load(answer)["total"])

    def pid_of(self, name: str) -> int | None:
        """The pid of one of the processes, as the supervisor states it."""
        pids = {process["name"]: process["pid"] for process in State(self.places).read().get("processes", [])}
        return pids.get(name)

    @property
    def supervisor(self) -> int:
        return int((self.places.run / "supervisor.lock").read_text())

    @property
    def processes(self) -> list[psutil.Process]:
        """Everything of this copy that runs, save the supervisor."""
        return leftovers.find(self.places)


@contextlib.contextmanager
def project_copy() -> Iterator[Copy]:
    """A copy of the project, stopped and deleted at the end."""
    copy = Copy(Path(tempfile.mkdtemp(prefix="catalog copy ")))
    try:
        yield copy
    finally:
        cleaned = copy.run("clean", "--yes")
        shutil.rmtree(copy.folder)
    assert cleaned.returncode == 0, cleaned.stdout


@pytest.fixture
def copy() -> Iterator[Copy]:
    with project_copy() as copy:
        yield copy


@pytest.fixture(scope="module")
def running() -> Iterator[Copy]:
    """One running copy for the tests that leave it running."""
    with project_copy() as copy:
        copy.start()
        yield copy
