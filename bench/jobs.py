"""`python3 manage.py bench jobs`: the list of jobs with 200,000 failed ones, over HTTP.

Beside it, in the same run: the same list with 100 failed jobs, and what dashboards usually do, which is to read the
whole registry with RQ's own calls and fetch the jobs of one page.
"""

import argparse
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import redis
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project

FEW = 100
LIMIT_MS = 100
TTL_SECONDS = 86_400
REGISTRY = "rq:failed:default"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200_000, help="failed jobs (200,000)")
    parser.add_argument("--requests", type=int, default=200, help="requests of each kind (200)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with running_project() as running:
        measured = measure(running, asked.jobs, asked.requests)
    publish(machine, asked.jobs, measured, asked.results)


def measure(running: Running, jobs: int, requests: int) -> dict[str, list[float]]:
    """Return the milliseconds of each request, by what was asked."""
    connection = redis.Redis.from_url(running.redis_url)
    pages = {
        "first page of 20": "limit=20",
        "first page of 100": "limit=100",
        "page of 100 in the middle": f"limit=100&offset={jobs // 2}",
        "last page of 100": f"limit=100&offset={jobs - 100}",
        "all states, page of 100": f"all&limit=100&offset={jobs // 2}",
    }
    fill(connection, FEW)
    few = f"first page of 100, {FEW} failed jobs"
    measured = {few: times(lambda: ask(running, "limit=100"), requests)}
    fill(connection, jobs - FEW)
    for title, query in pages.items():
        measured[title] = times(lambda query=query: ask(running, query), requests)
    usual = "the registry whole, by RQ's calls"
    measured[usual] = times(lambda: whole_registry(connection), 10)
    return measured


def fill(connection: redis.Redis, number: int) -> None:
    """Add failed jobs as RQ keeps them, without running them."""
    made = Job.create("catalog.jobs.jobs.test", [1, True], connection=connection, serializer=JSONSerializer)
    made.origin, made._status = "default", JobStatus.FAILED
    made._exc_info = "Traceback (most recent call last):\n" + '  File "x.py", line 1, in y\n' * 20 + "ValueError: no\n"
    fields, expiry = made.to_dict(), time.time() + TTL_SECONDS
    for first in range(0, number, 5_000):
        pipeline = connection.pipeline(transaction=False)
        for place in range(first, min(first + 5_000, number)):
            job_id = str(uuid.uuid4())
            pipeline.hset(Job.key_for(job_id), mapping=fields)
            pipeline.expire(Job.key_for(job_id), TTL_SECONDS)
            pipeline.zadd(REGISTRY, {job_id: expiry + place})
        pipeline.execute()


def ask(running: Running, query: str) -> None:
    """Read one page over HTTP."""
    wanted = query.removeprefix("all&") if query.startswith("all&") else f"queue=default&state=failed&{query}"
    with urlopen(f"{running.url}/api/v1/jobs?{wanted}", timeout=30) as answer:
        assert answer.status == 200
        answer.read()


def whole_registry(connection: redis.Redis) -> None:
    """Read every id, then one page of jobs, in this process and without HTTP."""
    registry = FailedJobRegistry("default", connection, serializer=JSONSerializer)
    Job.fetch_many(registry.get_job_ids()[:100], connection=connection, serializer=JSONSerializer)


def times(call: Callable[[], None], number: int) -> list[float]:
    """Return the milliseconds of each call, after a few that do not count."""
    for _ in range(3):
        call()
    measured = []
    for _ in range(number):
        began = time.perf_counter()
        call()
        measured.append((time.perf_counter() - began) * 1000)
    return measured


def publish(machine: dict[str, object], jobs: int, measured: dict[str, list[float]], folder: Path) -> None:
    """Print and write the report."""
    rows = [
        [title, f"{percentile(each, 0.5):.1f}", f"{percentile(each, 0.95):.1f}"] for title, each in measured.items()
    ]
    few, *pages, usual = measured
    worst = max(pages, key=lambda title: percentile(measured[title], 0.95))
    slowest = percentile(measured[worst], 0.95)
    Report(
        name="jobs",
        title=f"The list of jobs with {jobs:,} failed ones",
        machine=machine,
        facts={"milliseconds": {title: [round(each, 2) for each in found] for title, found in measured.items()}},
        tables=[Table("Pages, ms", ["page", "p50", "p95"], rows)],
        bars=[Bar(f"p95 of the slowest ({worst})", slowest, "<=", LIMIT_MS, " ms")],
        notes=[
            f"Slowest p95: {slowest / percentile(measured[few], 0.95):.2f} x that with {FEW} failed jobs, "
            f"{slowest / percentile(measured[usual], 0.95):.3f} x that of reading the registry whole (without HTTP)."
        ],
    ).publish(folder)


if __name__ == "__main__":
    main()
