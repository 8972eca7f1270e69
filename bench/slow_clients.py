"""`python3 manage.py bench slow_clients`: what slow clients cost everybody else.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards. Half of the
clients take responses at 150 bytes a second, half send an upload at one byte a second; a connection that the service
cuts off is opened again. Meanwhile another address asks for `/health/live` and uploads files.
"""

import argparse
import contextlib
import heapq
import itertools
import multiprocessing
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project

LIMIT_MS, LIMIT_MB = 100.0, 250.0
COUNTS = (0, 24, 240, 2000)
PATHS = ("/api/openapi.json", "/static/vendor/htmx.org-2.0.8/htmx.min.js", "/api/v1/products?limit=100")
UPLOAD = "/api/v1/products/upload"
SLOW_ADDRESS = "127.0.0.2"
PROBE_SECONDS = 0.02
FILE = "sku,name,price\n" + "".join(f"SLOW-{n},Product {n},{n % 90}.50\n" for n in range(20_000))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench slow_clients", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long for each number of clients (30)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with running_project(WEB_WORKERS="2") as running:
        upload(running.url, [])
        found = {count: measure(running, count, asked.seconds) for count in COUNTS}
    publish(machine, found, asked)


def measure(running: Running, count: int, seconds: float) -> dict[str, float]:
    """Return p50 and p99 of the probe, failed probes, uploads and their longest seconds, and the largest process."""
    cut = multiprocessing.Value("i", 0)
    clients = multiprocessing.Process(target=slow_clients, args=(running.url, count, cut), daemon=True)
    clients.start()
    time.sleep(min(5.0, seconds / 4))  # until all are connected and hold what they can
    uploads: list[float] = []
    stopping = threading.Event()
    thread = threading.Thread(target=keep_uploading, args=(running.url, uploads, stopping), daemon=True)
    thread.start()
    web = psutil.Process(running.pid("web")).children(recursive=True)
    taken, failed, megabytes = probe(running.url, seconds, web)
    stopping.set()
    thread.join(60)
    clients.kill()
    clients.join()
    shares = {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99), "longest": max(taken)}
    done = {"uploads": len(uploads), "upload_seconds": max(uploads, default=float("inf"))}
    return {**shares, "probes": len(taken), "failed": failed, **done, "megabytes": megabytes, "cut": cut.value}


def probe(url: str, seconds: float, web: list[psutil.Process]) -> tuple[list[float], int, float]:
    """Ask for /health/live over new connections; return milliseconds, failures, and the largest RSS of a process."""
    taken, failed, largest = [], 0, 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        try:
            requests.get(f"{url}/health/live", timeout=30, headers={"Connection": "close"}).raise_for_status()
        except requests.RequestException:
            failed += 1
        taken.append(1000 * (time.perf_counter() - began))
        largest = max(largest, *(each.memory_info().rss / 1e6 for each in web))
        time.sleep(PROBE_SECONDS)
    return taken, failed, largest


def keep_uploading(url: str, seconds: list[float], stopping: threading.Event) -> None:
    """Upload one file after the other, and note how long each took."""
    while not stopping.wait(0.5):
        upload(url, seconds)


def upload(url: str, seconds: list[float]) -> None:
    """Upload the file once, and note the seconds if it was accepted."""
    began = time.perf_counter()
    with contextlib.suppress(requests.RequestException):
        answer = requests.post(f"{url}{UPLOAD}", files={"file": ("products.csv", FILE)}, timeout=60)
        if answer.ok:
            seconds.append(time.perf_counter() - began)


def slow_clients(url: str, count: int, cut: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    """Keep so many slow connections open until killed; count those that the service ended."""
    target = urlsplit(url)
    address = target.hostname or "", target.port or 0
    kinds = itertools.cycle([*(Receiver(path) for path in PATHS), *([Sender()] * len(PATHS))])
    due: list[tuple[float, int, Receiver | Sender, socket.socket | None]] = []
    for number, kind in zip(range(count), kinds, strict=False):
        heapq.heappush(due, (time.monotonic(), number, kind, None))
    while due:
        moment, number, kind, connection = heapq.heappop(due)
        time.sleep(max(0.0, moment - time.monotonic()))
        try:
            connection = kind.go_on(connection) if connection else connected(address, kind.first)
        except OSError:
            connection = None
            cut.value += 1
        heapq.heappush(due, (time.monotonic() + (kind.every if connection else 1.0), number, kind, connection))


def connected(address: tuple[str, int], first: str) -> socket.socket:
    """Connect from the slow address with a small window, and send the first bytes."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(0.2)
    connection.bind((SLOW_ADDRESS, 0))
    connection.connect(address)
    connection.sendall(first.encode())
    return connection


class Receiver:
    """Takes 1.5 kB of a response every 10 s."""

    every = 10.0

    def __init__(self, path: str) -> None:
        self.first = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def go_on(self, connection: socket.socket) -> socket.socket:
        """Take a little more. Raises OSError where the service has ended the connection."""
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1500):
                connection.close()
                raise ConnectionResetError
        return connection


class Sender:
    """Sends an upload a byte a second."""

    every = 1.0
    first = (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        'Content-Length: 1000000\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n'
    )

    def go_on(self, connection: socket.socket) -> socket.socket:
        """Send one more byte. Raises OSError where the service has ended the connection."""
        connection.sendall(b"x")
        return connection


def publish(machine: dict[str, object], found: dict[int, dict[str, float]], asked: argparse.Namespace) -> None:
    """Print and write the report."""
    headings = [
        "slow clients",
        "p50, ms",
        "p99, ms",
        "longest, ms",
        "failed",
        "uploads",
        "longest upload, s",
        "MB",
        "cut",
    ]
    rows = [
        [
            f"{count:,}",
            *(f"{one[name]:.1f}" for name in ("p50", "p99", "longest")),
            f"{one['failed']:.0f} of {one['probes']:.0f}",
            f"{one['uploads']:.0f}",
            f"{one['upload_seconds']:.1f}",
            f"{one['megabytes']:.0f}",
            f"{one['cut']:,.0f}",
        ]
        for count, one in found.items()
    ]
    Report(
        name="slow_clients",
        title="Slow clients",
        machine=machine,
        facts={f"{count} clients": one for count, one in found.items()},
        tables=[Table("/health/live over new connections, and uploads of 20,000 rows, meanwhile", headings, rows)],
        bars=[
            Bar("/health/live, p99", max(one["p99"] for one in found.values()), "<=", LIMIT_MS, " ms"),
            Bar("failed probes", max(one["failed"] for one in found.values()), "<=", 0, ""),
            Bar("uploads that were accepted", min(one["uploads"] for one in found.values()), ">=", 1, ""),
            Bar("the largest web process", max(one["megabytes"] for one in found.values()), "<=", LIMIT_MB, " MB"),
        ],
        notes=[
            "Two web processes. The slow clients come from one other address, the probe and the uploads from another."
        ],
    ).publish(asked.results)


if __name__ == "__main__":
    main()
