"""`python3 manage.py bench export`: 500,000 products over HTTP as CSV and JSON Lines, against `psql \\copy … to`.

The products come through the importer; afterwards what was exported is imported again: nothing may change. It needs
nothing that runs already.
"""

import argparse
import subprocess
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import requests

from bench.imports import products
from bench.kit.figures import Bar, Timing
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project
from catalog.stack import StackError

COLUMNS = "sku, name, description, active, price, stock_quantity, category, image, rating_rate, rating_count"
JSON_ROWS = f"(SELECT row_to_json(r) FROM (SELECT {COLUMNS} FROM products) r)"
RATIO, GROWTH_MB = 2.0, 20


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench export", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="products (500,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with running_project(UPLOAD_MAX_MB="4000") as running:
        source = running.folder / "products.csv"
        products.write(source, asked.rows)
        load(running, source)
        memory = Memory(running.pid("web"))
        timings = measure(running, asked.rows, asked.rounds, memory)
        again = {form: load(running, running.folder / f"out.{form}") for form in ("csv", "jsonl")}
    publish(machine, asked.rows, timings, memory, again, asked.results)


def measure(running: Running, rows: int, rounds: int, memory: "Memory") -> list[Timing]:
    """Return the seconds of every contender, measured in turns."""
    timings = [
        Timing("a", "psql \\copy products (…) to, CSV", rows),
        Timing("b", "psql \\copy (SELECT row_to_json(…)) to", rows),
        Timing("csv", "ours over HTTP, CSV", rows),
        Timing("jsonl", "ours over HTTP, JSON Lines", rows),
    ]
    download(running, "csv")
    with memory:
        for _ in range(rounds):
            timings[0].seconds.append(timed(lambda: psql_copy(running, f"products ({COLUMNS})")))
            timings[1].seconds.append(timed(lambda: psql_copy(running, JSON_ROWS)))
            timings[2].seconds.append(timed(lambda: download(running, "csv")))
            timings[3].seconds.append(timed(lambda: download(running, "jsonl")))
    return timings


def timed(call: object) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - began


def psql_copy(running: Running, what: str) -> None:
    """Write a table or a query to a file with psql."""
    psql = next(Path(__file__).parent.parent.glob(".venv/**/pginstall18/bin/psql"))
    command = f"\\copy {what} to '{running.folder / 'peer.csv'}' with (format csv, header)"
    connection = ["-h", str(running.sockets), "-U", "postgres", "-d", "catalog"]
    subprocess.run([str(psql), "-qX", *connection, "-c", command], check=True)


def download(running: Running, form: str) -> None:
    """Write an export to a file, as it comes."""
    with (
        urlopen(f"{running.url}/api/v1/products/export?format={form}", timeout=600) as answer,
        (running.folder / f"out.{form}").open("wb") as file,
    ):
        while piece := answer.read(1 << 18):
            file.write(piece)


def load(running: Running, path: Path) -> dict[str, int]:
    """Import a file and return the counts of its result."""
    with path.open("rb") as file:
        answer = requests.post(f"{running.url}/api/v1/products/upload", files={"file": file}, timeout=600).json()
    while True:
        found = requests.get(f"{running.url}/api/v1/imports/{answer['task_id']}", timeout=30).json()
        if found["state"] == "completed":
            return {name: found[name] for name in ("created", "updated", "unchanged", "rejected")}
        if found["state"] == "failed":
            raise StackError(f"The import of {path} failed: {found['error']}")
        time.sleep(0.2)


class Memory:
    """The memory of the web processes, which is theirs alone, in MB: before, and the most of any while open."""

    def __init__(self, pid: int):
        self.processes = psutil.Process(pid).children(recursive=True)
        self.before = self.now()
        self.most = self.before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def now(self) -> float:
        """Return what the largest of them takes."""
        return max(process.memory_full_info().uss for process in self.processes) / 1e6

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.most = max(self.most, self.now())


def publish(
    machine: dict[str, object],
    rows: int,
    timings: list[Timing],
    memory: Memory,
    again: dict[str, dict[str, int]],
    folder: Path,
) -> None:
    """Print and write the report."""
    peer, json_peer, ours, ours_json = timings
    table = [[one.title, f"{one.median:.2f}", f"{one.pace:,.0f}", f"{one.median / peer.median:.2f}"] for one in timings]
    pairs = ((ours, peer), (ours_json, json_peer))
    bars = [Bar(f"{one.title}, x its \\copy", one.median / its.median, "<=", RATIO) for one, its in pairs]
    bars.append(Bar("memory that a web process gains", memory.most - memory.before, "<=", GROWTH_MB, " MB"))
    for form, counts in again.items():
        bars.append(Bar(f"{form} imported again: unchanged", counts["unchanged"], ">=", rows))
    Report(
        name="export",
        title=f"Exports of {rows:,} products",
        machine=machine,
        facts={"timings": [one.as_dict() for one in timings], "imported_again": again},
        tables=[Table("Exports", ["", "seconds", "rows/s", "x \\copy"], table)],
        bars=bars,
        notes=[f"Memory of the largest web process: {memory.before:.1f} MB before, {memory.most:.1f} MB at most."],
    ).publish(folder)


if __name__ == "__main__":
    main()
