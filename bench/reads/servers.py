"""The peers' servers, with as many processes as ours."""

import os
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.kit.peers import BENCH, Peers
from bench.kit.running import GUNICORN, Running, free_port
from bench.reads.load import Contender
from catalog import config

WORKERS, THREADS = 2, 8
OURS = "/api/v1/products/"


@contextmanager
def contenders(running: Running, identity: str) -> Iterator[list[Contender]]:
    """Start the peers and yield all contenders whose hits are measured, ours last."""
    peers, products = Peers("read"), f"/products/{identity}"
    with ExitStack() as stack:
        found = [
            _start(stack, "empty", "(a) empty Flask route, same gunicorn", _gunicorn(), products),
            _start(stack, "usual", "(b) FastAPI + SQLModel + Redis", _uvicorn(peers, "fastapi_usual"), products),
            _start(stack, "tuned", "(c) FastAPI + redis.asyncio, tuned", _uvicorn(peers, "fastapi_tuned"), products),
            _ours_under_granian(stack, running, peers, identity),
        ]
        yield [*found, ours(running, "hit", "(d) ours, hit")]


def ours(running: Running, key: str, title: str) -> Contender:
    """Return a contender that is our web server."""
    return Contender(key, title, running.url, OURS, running.pid("web"))


def _ours_under_granian(stack: ExitStack, running: Running, peers: Peers, identity: str) -> Contender:
    """Start our application under another WSGI server, to tell its own limit from gunicorn's."""
    counted = running.folder / "granian-metrics"
    counted.mkdir()
    paths = {"PYTHONPATH": f"{config.ROOT}:{sysconfig.get_path('purelib')}", "PROMETHEUS_MULTIPROC_DIR": str(counted)}
    command = [str(peers.python), "-m", "granian", "--interface", "wsgi", "--workers", str(WORKERS)]
    command += ["--blocking-threads", str(THREADS), "--port", "{port}", "wsgi:app"]
    title = "(g) ours, hit, granian instead of gunicorn"
    return _start(stack, "granian", title, command, OURS + identity, {**running.environment, **paths})


def _gunicorn() -> list[str]:
    command = [*GUNICORN, "-w", str(WORKERS), "--threads", str(THREADS)]
    return [*command, "--preload", "--no-control-socket", "-b", "127.0.0.1:{port}", "empty_flask:app"]


def _uvicorn(peers: Peers, module: str) -> list[str]:
    command = [str(peers.python), "-m", "uvicorn", "--workers", str(WORKERS), "--no-access-log"]
    return [*command, "--loop", "uvloop", "--http", "httptools", "--port", "{port}", f"{module}:app"]


def _start(
    stack: ExitStack,
    key: str,
    title: str,
    command: list[str],
    product: str,
    environment: Mapping[str, str] = os.environ,
) -> Contender:
    """Start a server and wait until it answers for the path of a product."""
    port = free_port()
    arguments = [part.format(port=port) for part in command]
    process = subprocess.Popen(
        arguments, cwd=BENCH / "peers", env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    stack.callback(_end, process)
    url = f"http://127.0.0.1:{port}"
    _wait(url + product, title)
    return Contender(key, title, url, product.rpartition("/")[0] + "/", process.pid)


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
