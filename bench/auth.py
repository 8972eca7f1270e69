"""`python3 manage.py bench auth`: what the check of an API key costs a cached read.

The same application three times, under gunicorn, on the same PostgreSQL and Redis: without its gate, open, and in
production with a key. It needs nothing that runs already.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.kit.figures import Bar
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, free_port, running_project, wait_answers
from bench.reads import lists, servers
from bench.reads.load import Contender, check_wrk, measure
from catalog import config

PRODUCTS = 2_000
PRODUCTION = {
    "CATALOG_ENV": "production",
    "SECRET_KEY": "of a benchmark, and of nothing else",
    "RATE_LIMIT_READS": "off",  # the others have none either
    "ENCRYPTION_KEYS": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
}


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    check_wrk()
    machine = describe_machine()
    with running_project(WEB_WORKERS="1", SEED_ON_START="false") as running, ExitStack() as stack:
        hot = running.folder / "hot"
        hot.write_text("\n".join(lists.fill(running.sockets, PRODUCTS)[:1_000]) + "\n")
        found = [
            stack.enter_context(_served(running, "ungated", "(a) without the gate", "bench.reads.ungated:app", {})),
            stack.enter_context(_served(running, "open", "(b) open, no key", "wsgi:app", {})),
            stack.enter_context(_served(running, "keys", "(c) production, with a key", "wsgi:app", PRODUCTION)),
        ]
        found[2].key_sent = _key(running)
        _measure(found, hot, asked)
    publish(machine, found, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench auth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="rounds, in which the contenders take turns (25)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each contender in a round (2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    return parser.parse_args()


def _measure(contenders: list[Contender], hot: Path, asked: argparse.Namespace) -> None:
    for each in contenders:
        measure(each, hot, 2)  # fills, and warms up
        each.rounds.clear()
    for number in range(asked.rounds):
        turns = contenders[number % len(contenders) :] + contenders[: number % len(contenders)]
        for each in turns:
            measure(each, hot, asked.seconds)
        paces = ", ".join(f"{each.key} {each.rounds[-1].pace:,.0f}/s" for each in contenders)
        print(f"Round {number + 1}: {paces}", flush=True)


@contextmanager
def _served(running: Running, key: str, title: str, application: str, settings: dict[str, str]) -> Iterator[Contender]:
    """Start one of the three, with a folder of its own, as each counts there."""
    port = free_port()
    own = {"PORT": str(port), "DATA_DIR": str(running.folder / key), "WEB_WORKERS": str(servers.WORKERS)}
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", application]
    environment = {**running.environment, **own, "WEB_THREADS": str(servers.THREADS), **settings}
    process = subprocess.Popen(command, cwd=config.ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_answers(port)
        yield Contender(key, title, f"http://127.0.0.1:{port}", servers.OURS, process.pid)
    finally:
        process.terminate()
        process.wait(15)


def _key(running: Running) -> str:
    """Return a key that may read products, made as in production."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "create", "bench", "--scope", "products:read"]
    environment = {**os.environ, **running.environment, **PRODUCTION}
    made = subprocess.run(command, cwd=config.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip()


def publish(machine: dict[str, object], contenders: list[Contender], asked: argparse.Namespace) -> None:
    """Print and write the report; a round's paces are compared with each other, and the median ratio counts."""
    bare = contenders[0]
    ratios = {each.key: _ratio(each, bare, "pace") for each in contenders}
    cpu = {each.key: each.median("cpu") - bare.median("cpu") for each in contenders}
    rows = [
        [each.title, f"{each.median('pace'):,.0f}", f"{ratios[each.key]:.3f}"]
        + [f"{each.median(name):.1f}" for name in ("p50", "p99")]
        + [f"{each.median('cpu'):.0f}", f"{cpu[each.key]:+.0f}", str(sum(one.failed for one in each.rounds))]
        for each in contenders
    ]
    columns = ["cached product", "requests/s", "to (a)", "p50 ms", "p99 ms", "CPU µs each", "to (a), µs", "failed"]
    failed = float(sum(one.failed for each in contenders for one in each.rounds))
    Report(
        name="auth",
        title="Authentication: what a key costs a cached read",
        machine=machine,
        facts={"contenders": [each.as_dict() for each in contenders], "ratios": ratios},
        tables=[Table("One product, from the cache", columns, rows)],
        bars=[
            Bar("(c) to (a), with a key", ratios["keys"], ">=", 0.95, " x"),
            Bar("answers other than 200", failed, "<=", 0),
        ],
        notes=[
            f"Medians of {len(bare.rounds)} rounds in which the contenders took turns, each beginning one; wrk with 16"
            " connections; ratios are those within a round.",
            f"Each has {servers.WORKERS} processes of {servers.THREADS} threads; one machine holds all.",
        ],
    ).publish(asked.results)


def _ratio(one: Contender, other: Contender, name: str) -> float:
    pairs = zip(one.rounds, other.rounds, strict=True)
    return median(getattr(ours, name) / getattr(theirs, name) for ours, theirs in pairs)


if __name__ == "__main__":
    main()
