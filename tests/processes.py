"""Real processes for tests: a web server on a free port, and waiting for a condition with a deadline."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
from werkzeug.serving import make_server

from catalog.config import ROOT
from tests import timings


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until the condition holds and return what it returned; fail if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (held := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return held


def calmest(measure: Callable[[], float], bound: float, tries: int = 5) -> float:
    """Return the first measurement within the bound, else the least of so many: a busy machine adds to some of them."""
    measured: list[float] = []
    while len(measured) < tries and (not measured or measured[-1] >= bound):
        measured.append(measure())
    return min(measured)


def free_port() -> int:
    """Return a port that nothing uses, below the range from which the system takes those of clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def running(environment: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the project's commands, e.g. `-m catalog.cli clock`, with these settings; end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def served(
    environment: dict[str, str], workers: int = 1, wsgi: str = "wsgi:app", times: timings.Times | None = None
) -> Iterator[str]:
    """Run the web server with so many processes and yield its address, e.g. `http://127.0.0.1:23456`.

    `times` are constants of ours that have other values there, by dotted name.
    """
    if times:
        environment, wsgi = {**environment, **timings.of(times)}, timings.WSGI
    with web_server(environment, workers, wsgi) as (url, _):
        yield url


@contextlib.contextmanager
def web_server(
    environment: dict[str, str], workers: int = 1, wsgi: str = "wsgi:app"
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The same, with gunicorn's master, for tests that send it signals."""
    port = free_port()
    settings = {**environment, "PORT": str(port), "WEB_WORKERS": str(workers), "CATALOG_ENV_FILE": os.devnull}
    with running(settings, "-m", "gunicorn", "--config", "gunicorn.conf.py", wsgi) as master:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(f"{url}/health/live"))
        yield url, master


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def standing_in(application: Any) -> Iterator[str]:
    """Serve a WSGI application that stands in for a service, in a thread; yield its address."""
    server = make_server("127.0.0.1", 0, application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def threads(count: int, work: Callable[[int], Any], stopping: threading.Event) -> Iterator[None]:
    """Run `work(number)` in so many threads for as long as the block takes; it ends soon after `stopping` is set."""
    running_threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in running_threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in running_threads:
            thread.join()
