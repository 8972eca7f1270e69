"""`python3 manage.py bench migration`: how long products.number takes to widen, and how long clients wait meanwhile.

It starts servers of its own in a temporary folder, fills a database at revision 0015, and migrates it while three
clients create, change and read products by SQL, one statement after the other.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import Connection, Engine, create_engine, event, text

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import set_environment
from catalog import config
from catalog.app import create_app
from catalog.commands import data
from catalog.extensions import db
from catalog.stack.project import Project

BEFORE = "0015"
LIMIT_MS = 5_000  # DATABASE_LOCK_TIMEOUT_SECONDS, after which a request is refused
MIGRATIONS = str(config.ROOT / "migrations")
FILL = """
    INSERT INTO products (sku, name, description, category, price, stock_quantity)
    SELECT 'BENCH-' || n, 'Product ' || n || ' ' || md5(n::text), 'Described by ' || md5((n % 5000)::text) || ' words',
        'Category ' || n % 200, 1 + n % 900, n % 50
    FROM generate_series(1, :rows) AS n"""
KEY = 'lower(sku) COLLATE "C" = (SELECT lower(\'BENCH-\' || 1 + floor(random() * :rows)::int) COLLATE "C")'
CLIENTS = {
    "create": "INSERT INTO products (sku, name) VALUES (gen_random_uuid()::text, 'New') RETURNING number",
    "change": f"UPDATE products SET stock_quantity = stock_quantity + 1, version = version + 1 WHERE {KEY}",
    "read": "SELECT number, sku, name FROM products WHERE number = (SELECT 1 + floor(random() * :rows)::int)",
}


class Clients:
    """Threads that run one statement each, with the milliseconds that each took."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self._engine, self._rows = engine, rows
        self._stopping = threading.Event()
        self.taken: dict[str, list[float]] = {name: [] for name in CLIENTS}
        self.step = ""  # the statement of the migration that runs
        self.longest: dict[str, float] = {}  # by step
        self.failed: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the statements for as long as the block takes."""
        running = [threading.Thread(target=self._run, args=(name,)) for name in CLIENTS]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in running:
                thread.join()

    def note_step(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Note the statement of the migration that begins."""
        self.step = " ".join(statement.split())[:60]

    def _run(self, name: str) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._stopping.is_set():
                began, step = time.perf_counter(), self.step
                self._execute(connection, name)
                taken = (time.perf_counter() - began) * 1000
                self.taken[name].append(taken)
                self.longest[step] = max(taken, self.longest.get(step, 0))

    def _execute(self, connection: Connection, name: str) -> None:
        try:
            connection.execute(text(CLIENTS[name]), {} if name == "create" else {"rows": self._rows})
        except Exception as error:  # an error of any kind is a figure of the report
            self.failed.append(f"{name}: {error}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench migration", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="products (1,000,000)")
    parser.add_argument("--seconds", type=float, default=20, help="of the clients alone, to compare with (20)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="catalog-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's account must get through to its data
        set_environment(folder, {"DATABASE_STATEMENT_TIMEOUT_SECONDS": "86400"})
        project = Project()
        try:
            project.embedded.start()
            os.environ.update(project.environment)
            measured = measure(project.embedded.database_url, asked.rows, asked.seconds)
        finally:
            project.embedded.wipe()
    publish(machine, asked, *measured)


def measure(url: str, rows: int, seconds: float) -> tuple[Clients, Clients, float, float]:
    """Return the clients alone and beside the migration, the seconds of it, and the growth of the table."""
    engine = create_engine(url, connect_args={"options": "-c lock_timeout=5s -c default_statistics_target=100"})
    with create_app(routes=False).app_context():
        upgrade(directory=MIGRATIONS, revision=BEFORE)
        fill(engine, rows)
        before, alone, beside = size(engine), Clients(engine, rows), Clients(engine, rows)
        timed(alone, lambda: time.sleep(seconds))
        event.listen(db.engine, "before_cursor_execute", beside.note_step)
        taken = timed(beside, data.migrate)
        grown = size(engine) / before
    engine.dispose()
    return alone, beside, taken, grown


def fill(engine: Engine, rows: int) -> None:
    """Add the products, and let the planner know them."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(FILL), {"rows": rows})
        connection.execute(text("VACUUM ANALYZE products"))


def size(engine: Engine) -> int:
    """Return the bytes of the table with its indexes."""
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT pg_total_relation_size('products')")) or 0)


def timed(clients: Clients, call: Callable[[], object]) -> float:
    """Return the seconds that a call takes beside the clients."""
    with clients.running():
        began = time.perf_counter()
        call()
        return time.perf_counter() - began


def slowest(clients: Clients) -> list[tuple[str, float]]:
    """Return the five statements of the migration beside which a client waited longest."""
    return sorted(clients.longest.items(), key=lambda each: -each[1])[:5]


def publish(
    machine: dict[str, object], asked: argparse.Namespace, alone: Clients, beside: Clients, taken: float, grown: float
) -> None:
    """Print and write the report."""
    shares = {
        f"{name}, {when}": [
            len(clients.taken[name]),
            *(percentile(clients.taken[name], each) for each in (0.5, 0.99, 1)),
        ]
        for name in CLIENTS
        for when, clients in (("alone", alone), ("beside", beside))
    }
    rows = [[name, f"{count:,}", *(f"{each:.1f}" for each in rest)] for name, (count, *rest) in shares.items()]
    steps = [[step or "none", f"{longest:.1f}"] for step, longest in slowest(beside)]
    failed = alone.failed + beside.failed
    Report(
        name="migration",
        title=f"Migration of {asked.rows:,} products to 8-byte numbers under load",
        machine=machine,
        facts={"rows": asked.rows, "seconds": taken, "grown": grown, "count_p50_p99_longest_ms": shares},
        tables=[
            Table("Statements of the clients, ms", ["statement", "count", "p50", "p99", "longest"], rows),
            Table("Longest that began beside a statement of the migration, ms", ["statement", "longest"], steps),
        ],
        bars=[
            Bar("failed statements", len(failed), "<=", 0),
            Bar("longest statement", max(max(each) for each in beside.taken.values()), "<", LIMIT_MS, " ms"),
        ],
        notes=[
            f"The migration took {taken:.1f} s; the table with its indexes is {grown:.2f} times as large afterwards.",
            *failed[:5],
        ],
    ).publish(asked.results)


if __name__ == "__main__":
    main()
