"""`python3 manage.py bench webhooks`: deliveries to 20 receivers, against a job for each and a bare libcurl loop.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.hooks.ours import Drained, Ours, ours
from bench.hooks.receivers import Receivers
from bench.kit.figures import Bar, percentile
from bench.kit.peers import Peers
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import running_project
from catalog import config

RECEIVERS = 20
SIZE = 300  # bytes that a delivery says, beside its frame
PER_SECOND = 10.0
TIMEOUT = 5
SICK = {0}


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    machine = describe_machine()
    peers = Peers("webhooks")
    peers.install()
    receivers = Receivers(RECEIVERS)
    try:
        with running_project() as running, ours(running, receivers) as measured:
            facts = _measure(measured, receivers, peers, asked, running.redis_url)
    finally:
        receivers.stop()
    _report(machine, facts).publish(asked.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench webhooks", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000, help="events of the backlog, each to 20 receivers (2,000)")
    parser.add_argument("--jobs", type=int, default=400, help="deliveries of the peer (400)")
    parser.add_argument("--paced", type=int, default=100, help="events of each run for delays (100)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    return parser.parse_args()


def _measure(
    measured: Ours, receivers: Receivers, peers: Peers, asked: argparse.Namespace, redis_url: str
) -> dict[str, Any]:
    jobs, bare, drained = [], [], []
    for number in range(asked.rounds):
        jobs.append(asked.jobs / peers.run("rq_requests.py", redis_url, asked.jobs, SIZE, *receivers.urls)["seconds"])
        bare.append(_bare(receivers, asked.events * RECEIVERS))
        measured.subscribe(TIMEOUT)
        drained.append(measured.drain(asked.events, SIZE))
        print(
            f"Round {number + 1}: {jobs[-1]:,.0f}, {bare[-1]:,.0f}, {_pace(drained[-1]):,.0f} deliveries/s", flush=True
        )
    delays = {}
    for name, dead, drip in (("all healthy", [], []), ("1 of 20 dead", [0], []), ("1 of 20 dripping", [], [0])):
        receivers.misbehave(dead, drip)
        measured.subscribe(TIMEOUT)
        delays[name] = measured.delays(asked.paced, PER_SECOND, SIZE, {*dead, *drip})
    return {"jobs": sorted(jobs), "bare": sorted(bare), "ours": sorted(drained, key=_pace), "delays": delays}


def _bare(receivers: Receivers, requests: int) -> float:
    command = [sys.executable, str(config.ROOT / "bench/hooks/bare.py"), str(requests), "200", str(SIZE + 150)]
    done = subprocess.run([*command, *receivers.urls], stdout=subprocess.PIPE, text=True, check=True)
    receivers.take()
    return requests / float(done.stdout)


def _pace(drained: Drained) -> float:
    return drained.deliveries / drained.seconds


def _report(machine: dict[str, Any], facts: dict[str, Any]) -> Report:
    jobs, bare, best = (facts[name][len(facts[name]) // 2] for name in ("jobs", "bare", "ours"))
    pace, cpu = _pace(best), best.cpu_seconds / best.deliveries * 1e6
    delays = {name: (percentile(all_, 0.5), percentile(all_, 0.99)) for name, all_ in facts["delays"].items()}
    healthy = delays["all healthy"]
    paces = [
        ["a: one RQ job per delivery, requests", f"{jobs:,.0f}", f"{pace / jobs:.1f}"],
        ["b: bare libcurl-multi loop", f"{bare:,.0f}", f"{pace / bare:.2f}"],
        ["c: ours, from commit to receiver", f"{pace:,.0f}", "1"],
    ]
    rows = [[name, f"{half * 1000:.1f}", f"{most * 1000:.1f}"] for name, (half, most) in delays.items()]
    return Report(
        name="webhooks",
        title="Webhooks, 20 receivers",
        machine=machine,
        facts={"deliveries_per_second": {"jobs": jobs, "bare": bare, "ours": pace}, "delays": delays, "cpu_us": cpu},
        tables=[
            Table("A backlog", ["contender", "deliveries/s", "ours is times"], paces),
            Table("From commit to the healthy receivers", ["case", "p50 ms", "p99 ms"], rows),
        ],
        bars=[
            Bar("ours / one job per delivery", pace / jobs, ">=", 30),
            Bar("ours / bare loop", pace / bare, ">=", 0.1),
            Bar("p50 from commit", healthy[0] * 1000, "<=", 50, " ms"),
            Bar("p99 from commit", healthy[1] * 1000, "<=", 500, " ms"),
            Bar("p99 with 1 of 20 dead", delays["1 of 20 dead"][1], "<", 2, " s"),
            Bar("p99 with 1 of 20 dripping", delays["1 of 20 dripping"][1], "<", 2, " s"),
        ],
        notes=[f"Medians. {cpu:.0f} µs of the sender's CPU for a delivery; {PER_SECOND:g} events/s for the delays."],
    )


if __name__ == "__main__":
    main()
