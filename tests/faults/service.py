"""The whole service as real processes with durable settings, each of which can be killed and comes back."""

import contextlib
import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psutil
import requests

from catalog.config import ROOT
from catalog.stack import Embedded
from catalog.stack.server import Server
from tests.faults import clusters
from tests.forked import Forked
from tests.processes import free_port, wait_for

READY_SECONDS = 120


class Process(Server):
    """One of the project's commands."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        super().__init__()
        self.name, self.folder, self.log = name, ROOT, folder / f"{name}.log"
        self._environment, self._arguments = environment, arguments

    def command(self) -> list[str]:
        return [sys.executable, *self._arguments]

    def environment(self) -> dict[str, str]:
        return self._environment

    def _spawn(self, log: int) -> "subprocess.Popen[bytes]":
        """Fork it from a process that has imported it; gunicorn, and code of another folder, start from nothing."""
        module = self._arguments[1:]
        if module[0] == "gunicorn" or self.folder != ROOT:
            return super()._spawn(log)
        return cast("subprocess.Popen[bytes]", Forked(module, self._environment, self.log, self.log))

    def kill(self) -> None:
        """Kill it with all its children, as when the machine takes it."""
        for member in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self.wait_ended(5)

    def _family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
            if pid := self.pid:
                return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return []


class Service:
    """Web, worker, clock and webhook sender over servers of their own; `wsgi` names the application to serve."""

    def __init__(self, folder: Path, wsgi: str = "wsgi:app") -> None:
        self.servers = Embedded(folder)
        self.kills = 0
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "CATALOG_ENV_FILE": os.devnull,
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CACHE_REDIS_URL": self.servers.cache_redis_url,
            "DATA_DIR": str(folder),
            "PORT": str(port),
            "WEB_WORKERS": "2",
            "SEED_ON_START": "false",
            "LOG_LEVEL": "WARNING",
        }
        gunicorn = ("-m", "gunicorn", "--config", "gunicorn.conf.py", wsgi)
        self.web = Process("web", folder, self.environment, *gunicorn)
        self.sender = Process("webhooks", folder, self.environment, "-m", "catalog.cli", "send-webhooks")
        self.worker = Process("worker", folder, self.environment, "-m", "catalog.cli", "worker", "default")
        self.clock = Process("clock", folder, self.environment, "-m", "catalog.cli", "clock")
        self.processes = [self.web, self.sender, self.worker, self.clock]

    def start(self) -> None:
        """Start the servers, with a migrated database, and the processes."""
        clusters.migrate(self.servers)
        self.servers.start()
        self.mend()

    def supervise(self) -> None:
        """Start whatever is down, as the supervisor does: a worker ends by itself, too, when its Redis is killed."""
        for process in self.processes:
            process.launch()

    def mend(self) -> None:
        """Start whatever is down, and wait for the web server."""
        self.supervise()
        wait_for(self._is_ready, READY_SECONDS)

    def wait_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition while whatever ends is started again."""

        def look() -> bool:
            self.supervise()
            return done()

        wait_for(look, seconds)

    def stop(self) -> None:
        """End everything and delete the data."""
        for process in self.processes:
            process.kill()
        self.servers.wipe()

    def strikes(self, chance: random.Random) -> Iterator[str]:
        """Kill something with each step and start it again: each kind once, then at random; yields what it was."""
        faults = self._faults()
        first = chance.sample(list(faults), len(faults))
        weighted = [name for name, (weight, _) in faults.items() for _ in range(weight)]
        for name in itertools.chain(first, iter(lambda: chance.choice(weighted), None)):
            faults[name][1]()
            self.kills += 1
            yield name

    @property
    def kinds(self) -> int:
        """How many kinds of faults there are."""
        return len(self._faults())

    def _faults(self) -> dict[str, tuple[int, Callable[[], None]]]:
        return {
            "a web worker": (5, self._kill_web_worker),
            "the web server": (1, lambda: self._again(self.web)),
            "the webhook sender": (4, lambda: self._again(self.sender)),
            "the worker": (2, lambda: self._again(self.worker)),
            "the clock": (2, lambda: self._again(self.clock)),
            "the queue's Redis": (2, lambda: self._again(self.servers.queue)),
            "the queue's Redis, wiped": (2, self._wipe_queue),
            "the cache's Redis": (2, lambda: self._again(self.servers.cache)),
            "PostgreSQL": (2, self._crash_postgres),
        }

    def _again(self, process: Server) -> None:
        process.kill()
        process.launch()

    def _kill_web_worker(self) -> None:
        self.web.launch()
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            random.choice(psutil.Process(self.web.pid).children()).kill()

    def lose_the_queue(self) -> None:
        """Wipe the queue's Redis and end the job at hand: what only they knew of is gone for good."""
        self._wipe_queue()
        self._again(self.worker)

    def _wipe_queue(self) -> None:
        self.servers.queue.kill()
        shutil.rmtree(self.servers.queue.folder)
        self.servers.queue.launch()

    def _crash_postgres(self) -> None:
        self.servers.postgres.stop(mode="immediate")
        self.servers.postgres.start()

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=2).json()["status"] == "ok"
        except (requests.RequestException, ValueError):
            return False


@contextlib.contextmanager
def running(folder: Path, wsgi: str = "wsgi:app", kind: type[Service] = Service) -> Iterator[Service]:
    """Run the service; it is gone afterwards."""
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    service = kind(folder, wsgi)
    try:
        service.start()
        yield service
    finally:
        service.stop()
