"""`python3 manage.py bench read`: a cached product, against an empty route and two FastAPI services; lists; search.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards.
"""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.kit.figures import Bar
from bench.kit.peers import Peers
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project
from bench.reads import lists, servers
from bench.reads.load import Contender, check_wrk, measure

HOT = 1_000  # different products that are read as hits


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    check_wrk()
    machine = describe_machine()
    Peers("read").install()
    settings = {"WEB_WORKERS": str(servers.WORKERS), "WEB_THREADS": str(servers.THREADS)}
    with running_project(**settings, SEED_ON_START="false") as running:
        print(f"Adding {asked.products:,} products ...", flush=True)
        ids = lists.fill(running.sockets, asked.products)
        contenders = _reads(running, ids, asked)
        listed = lists.measure(running.url, running.sockets, asked.products)
    publish(machine, contenders, listed, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench read", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in which the contenders take turns (5)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each contender in a round (5)")
    parser.add_argument("--products", type=int, default=1_000_000, help="products in the catalog (1,000,000)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    if asked.rounds < 1 or asked.seconds < 1 or asked.products < 2 * HOT:
        parser.error(f"--rounds and --seconds must be 1 or more, --products {2 * HOT:,}")
    return asked


def _reads(running: Running, ids: list[str], asked: argparse.Namespace) -> list[Contender]:
    hot, cold = _write(running.folder / "hot", ids[:HOT]), _write(running.folder / "cold", ids[HOT:])
    cache = _cache_process(running)
    servers.set_peer_environment(running.sockets, _cache_socket(cache))
    miss, down = servers.ours(running, "miss", "(e) ours, miss"), servers.ours(running, "down", "(f) ours, Redis hung")
    with servers.contenders(running, ids[0]) as hits:
        for contender in hits:
            measure(contender, hot, 2)  # fills, and warms up
            contender.rounds.clear()
        missed = 0
        for number in range(asked.rounds):
            for contender in hits:
                measure(contender, hot, asked.seconds)
            missed += int(measure(miss, cold, asked.seconds, missed).pace * asked.seconds * 1.2) + 1_000
            with _hung(cache):
                measure(down, hot, 1)  # in which the breakers open
                down.rounds.pop()
                measure(down, hot, asked.seconds)
            print(f"Round {number + 1}: " + ", ".join(_brief(each) for each in (*hits, miss, down)), flush=True)
    return [*hits, miss, down]


@contextmanager
def _hung(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _cache_process(running: Running) -> psutil.Process:
    """Return the process of the cache's Redis: its command line names its folder."""
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "redis-cache.sock" in line and str(running.logs.parent) in line:
            return process
    raise SystemExit("The cache's Redis was not found.")


def _cache_socket(cache: psutil.Process) -> Path:
    arguments = cache.cmdline()
    return Path(arguments[arguments.index("--unixsocket") + 1])


def _write(path: Path, ids: list[str]) -> Path:
    path.write_text("\n".join(ids) + "\n")
    return path


def _brief(contender: Contender) -> str:
    return f"{contender.key} {contender.rounds[-1].pace:,.0f}/s"


def publish(machine: dict[str, object], contenders: list[Contender], listed: dict[str, float], asked: object) -> None:
    """Print and write the report."""
    by_key = {each.key: each for each in contenders}
    hit, down = by_key["hit"], by_key["down"]
    rows = [
        [
            each.title,
            f"{each.median('pace'):,.0f}",
            f"{hit.median('pace') / each.median('pace'):.2f}",
            *(f"{each.median(name):.1f}" for name in ("p50", "p99")),
            f"{each.median('cpu'):.0f}",
            str(sum(one.failed for one in each.rounds)),
        ]
        for each in contenders
    ]
    columns = ["reads of one product", "requests/s", "(d) to it", "p50 ms", "p99 ms", "CPU µs each", "failed"]
    pages = [[name, f"{value:.1f}"] for name, value in listed.items()]
    Report(
        name="read",
        title="Reads: a cached product, pages, search",
        machine=machine,
        facts={"contenders": [each.as_dict() for each in contenders], "lists": listed},
        tables=[Table("One product", columns, rows), Table("Lists", ["", "ms"], pages)],
        bars=[
            Bar("(d) to (a), an empty Flask route", _ratio(hit, by_key["empty"]), ">=", 0.7, " x"),
            Bar("(d) to (b), the usual FastAPI", _ratio(hit, by_key["usual"]), ">=", 3, " x"),
            Bar("(d) to (c), the tuned FastAPI", _ratio(hit, by_key["tuned"]), ">=", 1, " x"),
            Bar("answers other than 200 with Redis hung", float(sum(one.failed for one in down.rounds)), "<=", 0),
            Bar(
                "p99 with Redis hung, above a miss", down.median("p99") - by_key["miss"].median("p99"), "<=", 150, " ms"
            ),
            Bar("page 10,000 to page 1", listed["deep_page"] / listed["first_page"], "<=", 1.5, " x"),
            Bar("search to bare SQL, p95", listed["search_p95"] / listed["bare_search_p95"], "<=", 1.5, " x"),
            Bar("search p95", listed["search_p95"], "<=", 100, " ms"),
        ],
        notes=[
            f"Medians of {len(hit.rounds)} rounds in which the contenders took turns; wrk with 16 connections.",
            f"All servers have {servers.WORKERS} processes, gunicorn's {servers.THREADS} threads each; one machine"
            " holds servers, client, PostgreSQL and Redis.",
            "(g) is the same application under another WSGI server: what lies between (d) and (g) is gunicorn's.",
            f"`CPU` is that of the web server's processes alone. Hits: {HOT:,} products; misses: each product once.",
        ],
    ).publish(asked.results)  # type: ignore[attr-defined]


def _ratio(one: Contender, other: Contender) -> float:
    return one.median("pace") / other.median("pace")


if __name__ == "__main__":
    main()
