"""`python3 manage.py bench import`: the import against bare COPY, the usual batches, and django-import-export.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards.
"""

import argparse
from pathlib import Path

from bench.imports import products, rounds, verdict
from bench.imports.contenders import File
from bench.kit.peers import Peers
from bench.kit.report import RESULTS, describe_machine
from bench.kit.running import Running, running_project
from catalog.stack import StackError

BATCH_ROWS = 100_000
DJANGO_ROWS = 20_000
UPLOAD_MAX_MB = "4000"  # five million rows are more than the 500 MB that the service takes by default


def main() -> None:
    """Measure, print the table and the bars, write both."""
    asked = _arguments()
    machine = describe_machine()
    Peers("import").install()
    with running_project(UPLOAD_MAX_MB=UPLOAD_MAX_MB) as running:
        try:
            report = verdict.report(_measure(running, asked, machine))
        except StackError as error:
            raise SystemExit(f"{error}\nThe last lines of the worker:\n{running.tail('worker-imports')}") from error
    report.publish(asked.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench import", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the product file (500,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--memory-rows", type=int, default=0, help="one more import of so many rows, for its memory")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    if asked.rows < 1 or asked.rounds < 1:
        parser.error("--rows and --rounds must be 1 or more")
    return asked


def _measure(running: Running, asked: argparse.Namespace, machine: dict[str, object]) -> verdict.Measured:
    file = _make_file(running, asked.rows)
    measured = rounds.Rounds(running, file, min(BATCH_ROWS, asked.rows), min(DJANGO_ROWS, asked.rows))
    measured.run(asked.rounds)
    memory_run = None
    if asked.memory_rows:
        memory_run = rounds.measure_memory(running, _make_file(running, asked.memory_rows))
    return verdict.Measured(machine, measured, memory_run)


def _make_file(running: Running, rows: int) -> File:
    path = running.folder / f"products-{rows}.csv"
    products.write(path, rows)
    print(f"The product file has {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB.", flush=True)
    return File(path, rows)


if __name__ == "__main__":
    main()
