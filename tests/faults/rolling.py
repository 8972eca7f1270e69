"""The service as on several machines: two of each process, each of which is replaced in turn while clients go on."""

import base64
import contextlib
import json
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from tests.faults.balancers import answers_ready
from tests.faults.service import Process, Service
from tests.orders.conftest import body
from tests.processes import free_port, threads, wait_for

DRAIN_SECONDS = 3.0  # longer than deploy/nginx.conf keeps idle connections
END_SECONDS = 30
PAUSE_SECONDS = 0.01  # of a client between two requests: without it they take the processor from those who start anew
WORKERS = ("imports", "default", "orders")


class Rolling(Service):
    """Two web servers, each with a port and a folder of its own, two workers of each queue, senders and clocks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment |= {
            "UPLOAD_DIR": str(folder / "uploads"),
            "SECRET_KEY": "s" * 40,
            "ENCRYPTION_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
            "WEB_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "WEB_WORKERS": "1",
        }
        first = int(self.environment["PORT"])
        self.ports = [first, next(port for port in iter(free_port, 0) if port != first)]
        self.webs = [self._web(folder, number) for number in (0, 1)]
        others = {name: ("worker", name) for name in WORKERS} | {"sender": ("send-webhooks",), "clock": ("clock",)}
        self.others = [
            Process(f"{name}-{number}", folder, self.environment, "-m", "catalog.cli", *verb)
            for name, verb in others.items()
            for number in (1, 2)
        ]
        self.processes = [*self.webs, *self.others]

    def _web(self, folder: Path, number: int) -> Process:
        own = {"PORT": str(self.ports[number]), "DATA_DIR": str(folder / f"web-{number}")}
        command = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app")
        return Process(f"web-{number}", folder, self.environment | own, *command)

    def _is_ready(self) -> bool:
        return all(map(answers_ready, self.ports))

    def replace(self, process: Process) -> int:
        """End a process as a deployment does, start its successor, and return the exit status of the first."""
        process.send(signal.SIGTERM)
        process.wait_ended(END_SECONDS)
        ended = process.process.returncode
        process.launch()
        if process in self.webs:
            port = self.ports[self.webs.index(process)]
            wait_for(lambda: answers_ready(port))
            wait_for(lambda: _is_used(port))
        return ended


def _is_used(port: int) -> bool:
    """Tell whether a client or a balancer holds a connection to this server, so that it has its share again."""
    found = psutil.net_connections("tcp")
    return any(each.status == "ESTABLISHED" and each.laddr.port == port for each in found)


@dataclass
class Orders:
    """A client that submits orders, one after the other, each once."""

    url: str
    taken: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def _client(self, _: int) -> None:
        with requests.Session() as session:
            while not self._stopping.wait(PAUSE_SECONDS):
                order = body(len(self.taken) + len(self.failed) + 1)
                try:
                    session.post(f"{self.url}/api/v1/orders", json=order, timeout=20).raise_for_status()
                    self.taken.append(order["id"])
                except requests.RequestException as error:
                    self.failed.append(repr(error))

    @contextlib.contextmanager
    def submitted(self) -> Iterator["Orders"]:
        """Submit for as long as the block takes."""
        with threads(1, self._client, self._stopping):
            yield self


@dataclass
class Reads:
    """Clients that read a product, lists and a page over connections that they keep, and over new ones."""

    url: str
    paths: list[str]
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def _client(self, seed: int) -> None:
        chance, session = random.Random(seed), requests.Session()
        while not self._stopping.wait(PAUSE_SECONDS):
            headers = {"Connection": "close"} if chance.random() < 0.2 else {}
            try:
                path = chance.choice(self.paths)
                session.get(f"{self.url}{path}", headers=headers, timeout=20).raise_for_status()
                self.answered += 1
            except requests.RequestException as error:
                self.failed.append(repr(error))

    @contextlib.contextmanager
    def asked(self) -> Iterator["Reads"]:
        """Read for as long as the block takes."""
        with threads(2, self._client, self._stopping):
            yield self


WRK = """
local n = 0
request = function()
  n = n + 1
  if n % 10 == 0 then
    return wrk.format("POST", "/api/v1/products", {["Content-Type"] = "application/json"}, '{"name": "wrk"}')
  end
  return wrk.format("GET", "PATH")
end
function delay()
  return PAUSE
end
done = function(summary)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('{"requests": %d, "failed": %d}', summary.requests, failed))
end
"""


@contextlib.contextmanager
def wrk(folder: Path, url: str, path: str) -> Iterator[dict[str, int]]:
    """Have wrk read and write for as long as the block takes, where it is installed; yields what it counts."""
    counted = {"requests": 0, "failed": 0}
    program = shutil.which("wrk")
    if program is None:
        yield counted
        return
    script = folder / "wrk.lua"
    script.write_text(WRK.replace("PATH", path).replace("PAUSE", str(int(1000 * PAUSE_SECONDS))))
    command = [program, "-t1", "-c8", "-d600", "--timeout", "20", "-s", str(script), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield counted
        finally:
            process.send_signal(signal.SIGINT)  # it stops and counts
            said = process.communicate(timeout=30)[0]
            counted |= json.loads(said[said.index('{"requests"') :])
