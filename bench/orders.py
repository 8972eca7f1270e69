"""`python3 manage.py bench orders`: intake against an empty route, processing against one RQ job per order.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.kit.figures import Bar
from bench.kit.peers import Peers
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, free_port, running_project, wait_answers
from bench.ordering import intake, processing
from bench.reads.load import check_wrk
from catalog import config

WORKERS, THREADS = 2, 8
DELAY = 0.02  # seconds that FakeStore takes
WAYS = ("catalog", "fakestore")


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    check_wrk()
    machine = describe_machine()
    peers = Peers("webhooks")  # the same requirements
    peers.install()
    with fakestore() as store, intake.empty_route(WORKERS, THREADS) as empty:
        settings = {"WEB_WORKERS": str(WORKERS), "WEB_THREADS": str(THREADS), "FAKESTORE_URL": store}
        with running_project(**settings) as running:
            ours = processing.Ours(running)
            ours.add_products()
            taken = _intake(running, ours, empty, asked)
            done = {way: _processing(running, ours, peers, asked, way, store) for way in WAYS}
            ours.engine.dispose()
    _report(machine, taken, done, asked).publish(asked.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench orders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of processing, in turns (3)")
    parser.add_argument("--intakes", type=int, default=15, help="rounds of intake, in which the two take turns (15)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of each one's intake in a round (3)")
    parser.add_argument("--orders", type=int, default=5_000, help="orders of the backlog (5,000)")
    parser.add_argument("--jobs", type=int, default=200, help="orders of the peer (200)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    return parser.parse_args()


@contextmanager
def fakestore() -> Iterator[str]:
    """Run FakeStore with its delay in a process of its own; yield its address."""
    port = free_port()
    server = subprocess.Popen([sys.executable, str(config.ROOT / "bench/peers/fakestore.py"), str(port), str(DELAY)])
    try:
        wait_answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _intake(running: Running, ours: processing.Ours, empty: str, asked: argparse.Namespace) -> dict[str, list[float]]:
    paces: dict[str, list[float]] = {"empty": [], "ours": []}
    first = 1
    with ours.resting():
        for url in (empty, running.url):
            intake.measure(url, running.folder, 1, 10**12)  # warms up
        for number in range(asked.intakes):
            paces["empty"].append(intake.measure(empty, running.folder, asked.seconds, first)[0])
            pace, answered = intake.measure(running.url, running.folder, asked.seconds, first)
            paces["ours"].append(pace)
            first += 10 * answered
            print(f"Round {number + 1}: {paces['empty'][-1]:,.0f} and {pace:,.0f} requests/s", flush=True)
        ours.forget()
    return paces


def _processing(
    running: Running, ours: processing.Ours, peers: Peers, asked: argparse.Namespace, way: str, store: str
) -> dict[str, list[float]]:
    skus, paces = processing.CATALOG if way == "catalog" else processing.FAKE, {"jobs": [], "ours": []}
    url = f"{running.url}/api/v1/products/by-sku/CAT-{{}}" if way == "catalog" else f"{store}/products/{{}}"
    for number in range(asked.rounds):
        seconds = processing.one_job_each(peers, running, processing.made(asked.jobs, number, skus), url)
        paces["jobs"].append(asked.jobs / seconds)
        seconds = ours.drain(processing.made(asked.orders, number, skus))
        paces["ours"].append(asked.orders / seconds)
        print(f"{way} {number + 1}: {paces['jobs'][-1]:,.0f} and {paces['ours'][-1]:,.0f} orders/s", flush=True)
    return paces


def _report(machine: dict[str, Any], taken: dict[str, Any], done: dict[str, Any], asked: argparse.Namespace) -> Report:
    empty, ours = median(taken["empty"]), median(taken["ours"])
    share = median(own / other for own, other in zip(taken["ours"], taken["empty"], strict=True))
    rows = [["empty POST route, same gunicorn", f"{empty:,.0f}", "1"], ["ours", f"{ours:,.0f}", f"{share:.2f}"]]
    paces = {way: (median(done[way]["jobs"]), median(done[way]["ours"])) for way in WAYS}
    work = [[way, f"{jobs:,.0f}", f"{own:,.0f}", f"{own / jobs:.1f}"] for way, (jobs, own) in paces.items()]
    return Report(
        name="orders",
        title="Orders",
        machine=machine,
        facts={"intake": taken, "processing": done},
        tables=[
            Table("Intake, requests/s", ["contender", "requests/s", "of the empty route"], rows),
            Table("Processed, orders/s", ["looked up", "one RQ job per order", "ours", "times"], work),
        ],
        bars=[
            Bar("intake / empty POST route", share, ">=", 0.5),
            *(Bar(f"processed / one job per order, {way}", own / jobs, ">=", 5) for way, (jobs, own) in paces.items()),
        ],
        notes=[
            f"Intake: medians of {asked.intakes} rounds, the ratio that within a round; wrk with {intake.CONNECTIONS}"
            f" connections to {WORKERS} processes of {THREADS} threads, two items an order, each kept durably when it"
            " is answered, while the worker rests.",
            f"Processing (medians of {asked.rounds}) of a backlog by one worker, events written; FakeStore takes"
            f" {DELAY * 1000:.0f} ms. The peer looks each item up with `requests`, at our API or at FakeStore, and"
            " writes nothing down.",
        ],
    )


if __name__ == "__main__":
    main()
