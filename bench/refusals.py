"""`python3 manage.py bench refusals`: how long a body that is too large or too deep is on its way to its refusal.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards. Each body is
sent again and again over a new connection; the seconds are those from the first byte sent to the answer.
"""

import argparse
import contextlib
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project

LIMIT_MS, LIMIT_MB = 50.0, 10.0
WARM_UPS = 3
PRODUCTS, GRAPHQL = "/api/v1/products", "/graphql"
ALIASES = " ".join(f"a{number}: __typename" for number in range(20_000))
DEEP = "{a" * 10_000 + "}" * 10_000
BODIES = {
    "a list 999,999 deep": (PRODUCTS, b"[" * 999_999),
    "an object 199,999 deep": (PRODUCTS, b'{"a":' * 199_999),
    "8 MB of JSON": (PRODUCTS, b'{"name": "' + b"x" * 8_000_000 + b'"}'),
    "a GraphQL query 10,000 deep": (GRAPHQL, b'{"query": "%s"}' % DEEP.encode()),
    "a GraphQL query of 20,000 aliases": (GRAPHQL, b'{"query": "{%s}"}' % ALIASES.encode()),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench refusals", description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="how often each body is sent (100)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with running_project(WEB_WORKERS="1") as running:
        found = {name: _refusals(running, *body, asked.times) for name, body in BODIES.items()}
    publish(machine, found, asked)


def _refusals(running: Running, path: str, body: bytes, times: int) -> tuple[list[float], float]:
    """Return the milliseconds of each refusal, and by how many MB the service has grown over all of them."""
    for _ in range(WARM_UPS):
        _refuse(running, path, body)
    web = psutil.Process(running.pid("web")).children(recursive=True)
    before = _megabytes(web)
    taken = [_refuse(running, path, body) for _ in range(times)]
    return taken, _megabytes(web) - before


def _megabytes(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 1e6


def _refuse(running: Running, path: str, body: bytes) -> float:
    target = urlsplit(running.url)
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    head = f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=30) as connection:
        began = time.perf_counter()
        threading.Thread(target=_send, args=(connection, head.encode() + body), daemon=True).start()
        answer = connection.recv(65_536)
        taken = time.perf_counter() - began
    if answer.split(b" ", 2)[1] not in (b"400", b"413") and b'"errors"' not in answer:
        raise SystemExit(f"{path} did not refuse: {answer[:200]!r}")
    return taken * 1000


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the answer may come before all of it is taken
        connection.sendall(data)


def publish(machine: dict[str, object], found: dict[str, tuple[list[float], float]], asked: argparse.Namespace) -> None:
    """Print and write the report."""
    shares = {name: [percentile(taken, share) for share in (0.5, 0.95, 1)] for name, (taken, _) in found.items()}
    rows = [[name, *(f"{each:.1f}" for each in shares[name]), f"{found[name][1]:+.1f}"] for name in found]
    slowest = max(longest for _, _, longest in shares.values())
    Report(
        name="refusals",
        title="Refusals: bodies that are too large or too deep",
        machine=machine,
        facts={name: {"p50_p95_longest_ms": shares[name], "grown_mb": found[name][1]} for name in found},
        tables=[Table("Until the answer, ms", ["body", "p50", "p95", "longest", "memory, MB"], rows)],
        bars=[
            Bar("the slowest refusal", slowest, "<", LIMIT_MS, " ms"),
            Bar("memory gained by one kind", max(grown for _, grown in found.values()), "<", LIMIT_MB, " MB"),
        ],
        notes=[f"Each {asked.times} times, over a new connection each, to one process; the client is in the figures."],
    ).publish(asked.results)


if __name__ == "__main__":
    main()
