"""Balancers before two web servers: one that asks whether they are ready, and nginx as deploy/nginx.conf has it."""

import contextlib
import http.client
import itertools
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.config import ROOT
from tests.faults.proxy import Proxy
from tests.processes import free_port, wait_for

LOOK_SECONDS = 0.1
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Balancer(Proxy):
    """Connects each client to the next server whose `/health/ready` was last answered with 200, as clouds do."""

    def __init__(self, ports: list[int]):
        self.ready: set[int] = set()
        self._turns = itertools.cycle(ports)
        self._number = len(ports)
        self._stopping = threading.Event()
        super().__init__()
        for port in ports:
            threading.Thread(target=self._watch, args=(port,), daemon=True).start()

    def close(self) -> None:
        self._stopping.set()
        super().close()

    def _watch(self, port: int) -> None:
        while not self._stopping.is_set():
            (self.ready.add if answers_ready(port) else self.ready.discard)(port)
            self._stopping.wait(LOOK_SECONDS)

    def _dial(self) -> socket.socket:
        for port in itertools.islice(self._turns, 2 * self._number):
            if port in self.ready:
                return socket.create_connection(("127.0.0.1", port))
        raise OSError("no server is ready")


def answers_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    return False


@contextlib.contextmanager
def asking(_folder: Path, ports: list[int]) -> Iterator[str]:
    """A balancer that asks; yields its address."""
    balancer = Balancer(ports)
    try:
        wait_for(lambda: balancer.ready == set(ports))
        yield f"http://127.0.0.1:{balancer.port}"
    finally:
        balancer.close()


@contextlib.contextmanager
def nginx(folder: Path, ports: list[int]) -> Iterator[str]:
    """The bundled one, which learns from failures alone; yields its address."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    port, servers = free_port(), iter(ports)
    site = (ROOT / "deploy" / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "site.conf").write_text(
        re.sub(r"server web(-2)?:5000", lambda _: f"server 127.0.0.1:{next(servers)}", site)
    )
    (folder / "main.conf").write_text(NGINX.format(folder=folder))
    with subprocess.Popen([program, "-p", str(folder), "-c", "main.conf"], start_new_session=True) as process:
        try:
            wait_for(lambda: answers_ready(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


KINDS = {"a balancer that asks": asking, "nginx": nginx}
