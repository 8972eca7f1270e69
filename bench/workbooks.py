"""`python3 manage.py bench workbooks`: reading an .xlsx, as before with openpyxl and now, beside the same rows as .csv.

Only the reading is measured, in processor time, so that other work on the machine counts little. It needs nothing
that runs already.
"""

import argparse
import csv
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from openpyxl import Workbook

from bench.kit.figures import Bar, Timing
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.peers import openpyxl_reader
from catalog.imports import sources

HEADER = ["sku", "name", "price", "stock_quantity", "description"]
LIMIT = 500 << 20
FASTER = 3.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench workbooks", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="products (20,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as name:
        timings = measure(Path(name), asked.rows, asked.rounds)
    publish(machine, asked.rows, timings, asked.results)


def measure(folder: Path, rows: int, rounds: int) -> list[Timing]:
    """Return the seconds of every contender, measured in turns."""
    book, text = folder / "products.xlsx", folder / "products.csv"
    write(book, text, rows)
    timings = [
        Timing("before", "openpyxl, as before", rows),
        Timing("now", "our reader of .xlsx", rows),
        Timing("csv", "our reader of .csv", rows),
    ]
    for _ in range(rounds):
        timings[0].seconds.append(timed(lambda: openpyxl_reader.rows(book), rows + 1))
        timings[1].seconds.append(timed(lambda: records(book), rows))
        timings[2].seconds.append(timed(lambda: records(text), rows))
    return timings


def write(book: Path, text: Path, rows: int) -> None:
    """Write the same products as a workbook and as text."""
    luck = random.Random(7)
    made = Workbook(write_only=True)
    sheet = made.create_sheet()
    with text.open("w", newline="") as file:
        writer = csv.writer(file)
        for number in range(-1, rows):
            words = " ".join(luck.choices(("desk", "lamp", "steel", "oak", "café", "large"), k=8))
            product = [
                f"SKU-{number:07}",
                f"Product {number}",
                luck.randint(1, 99_999) / 100,
                luck.randint(0, 500),
                words,
            ]
            row = HEADER if number < 0 else product
            sheet.append(row)
            writer.writerow(row)
    made.save(book)


def records(path: Path) -> Iterable[object]:
    """Return the records of a file, read as an import reads it."""
    source = sources.of(path, path.name, {"encoding": None, "delimiter": None}, lambda: None)
    header = source.header({})
    return source.records(source.survey(LIMIT), header, LIMIT)


def timed(read: Callable[[], Iterable[object]], rows: int) -> float:
    """Return the processor's seconds that reading takes."""
    began = time.process_time()
    assert sum(1 for _ in read()) == rows
    return time.process_time() - began


def publish(machine: dict[str, object], rows: int, timings: list[Timing], folder: Path) -> None:
    """Print and write the report."""
    before, now, text = timings
    table = [[one.title, f"{one.median:.2f}", f"{one.pace:,.0f}", f"{one.median / text.median:.1f}"] for one in timings]
    bars = [Bar("how much faster than before", before.median / now.median, ">=", FASTER, " x")]
    Report(
        name="workbooks",
        title=f"Reading a workbook of {rows:,} rows",
        machine=machine,
        facts={"timings": [one.as_dict() for one in timings]},
        tables=[Table("Reading", ["", "seconds", "rows/s", "x .csv"], table)],
        bars=bars,
        notes=["Processor time of the reading alone; 5 columns, written by openpyxl."],
    ).publish(folder)


if __name__ == "__main__":
    main()
