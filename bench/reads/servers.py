"""The peers' servers, with as many processes as ours."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.kit.peers import BENCH, Peers
from bench.kit.running import Running, free_port
from bench.reads.load import Contender
from catalog import config

WORKERS, THREADS = 2, 4


@contextmanager
def contenders(running: Running, identity: str) -> Iterator[list[Contender]]:
    """Start the peers and yield all contenders whose hits are measured, ours last."""
    peers = Peers("read")
    with ExitStack() as stack:
        found = [
            _start(stack, "empty", "(a) empty Flask route, same gunicorn", _gunicorn(), identity),
            _start(stack, "usual", "(b) FastAPI + SQLModel + Redis", _uvicorn(peers, "fastapi_usual"), identity),
            _start(stack, "tuned", "(c) FastAPI + redis.asyncio, tuned", _uvicorn(peers, "fastapi_tuned"), identity),
        ]
        yield [*found, ours(running, "hit", "(d) ours, hit")]


def ours(running: Running, key: str, title: str) -> Contender:
    """Return a contender that is our web server."""
    return Contender(key, title, running.url, "/api/v1/products/", running.pid("web"))


def _gunicorn() -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", str(WORKERS), "--threads", str(THREADS)]
    return [*command, "--preload", "--no-control-socket", "-b", "127.0.0.1:{port}", "empty_flask:app"]


def _uvicorn(peers: Peers, module: str) -> list[str]:
    command = [str(peers.python), "-m", "uvicorn", "--workers", str(WORKERS), "--no-access-log"]
    return [*command, "--loop", "uvloop", "--http", "httptools", "--port", "{port}", f"{module}:app"]


def _start(stack: ExitStack, key: str, title: str, command: list[str], identity: str) -> Contender:
    port = free_port()
    arguments = [part.format(port=port) for part in command]
    process = subprocess.Popen(arguments, cwd=BENCH / "peers", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    stack.callback(_end, process)
    url = f"http://127.0.0.1:{port}"
    _wait(f"{url}/products/{identity}", title)
    return Contender(key, title, url, "/products/", process.pid)


def _wait(url: str, title: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"{title} does not answer.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def set_peer_environment(sockets: Path, redis_socket: Path) -> None:
    """Give the peers the very PostgreSQL and cache Redis of ours, another database of the latter."""
    os.environ["PEER_DATABASE_URL"] = f"postgresql+psycopg2://postgres@/catalog?host={sockets}"
    os.environ["PEER_REDIS_URL"] = f"unix://{redis_socket}?db=5"
    os.environ["PYTHONPATH"] = str(config.ROOT)
