"""`python3 manage.py bench graphql`: one product by GraphQL, against the same product by REST, neither cached.

It needs nothing that runs already: it starts the project in a temporary folder and removes it afterwards.
"""

import argparse
import time
from pathlib import Path

import requests

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import running_project

QUERY = "query Product($id: ID!) { product(productId: $id) { id sku title price stockQuantity } }"
HOSTILE = {
    "alias bomb": "{" + "".join(f"a{number}: product(productId: 1) {{ id }}" for number in range(120)) + "}",
    "query 10,000 deep": "{a" * 10_000 + "}" * 10_000,
    "fragment cycle": "{...A} fragment A on Query {...B} fragment B on Query {...A}",
}


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    machine = describe_machine()
    with running_project(WEB_WORKERS="1", CACHE_ENABLED="false") as running, requests.Session() as session:
        body = {"name": "Lamp", "price": 5}
        product = session.post(f"{running.url}/api/v1/products", json=body, timeout=10).json()
        rest, graphql = _turns(session, running.url, product["id"], asked.requests)
        refused = {name: _refusal(session, running.url, text) for name, text in HOSTILE.items()}
    publish(machine, rest, graphql, refused, asked.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py bench graphql", description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000, help="requests of each, by turns (2,000)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    return parser.parse_args()


def _turns(session: requests.Session, url: str, identity: str, count: int) -> tuple[list[float], list[float]]:
    """Ask by REST and by GraphQL in turns; return the milliseconds of each."""
    operation = {"query": QUERY, "variables": {"id": identity}}
    rest, graphql = [], []
    for _ in range(count):
        rest.append(_timed(session, "GET", f"{url}/api/v1/products/{identity}"))
        graphql.append(_timed(session, "POST", f"{url}/graphql", operation))
    return rest, graphql


def _refusal(session: requests.Session, url: str, text: str) -> float:
    """Return the median milliseconds of a refusal; each text is another, so that none is known already."""
    bodies = [{"query": f"{text} # {number}"} for number in range(20)]
    return percentile([_timed(session, "POST", f"{url}/graphql", body) for body in bodies], 0.5)


def _timed(session: requests.Session, method: str, url: str, body: object = None) -> float:
    started = time.perf_counter()
    answer = session.request(method, url, json=body, timeout=10)
    taken = time.perf_counter() - started
    answer.raise_for_status()
    return taken * 1000


def publish(
    machine: dict[str, object], rest: list[float], graphql: list[float], refused: dict[str, float], folder: Path
) -> None:
    """Print and write the report."""
    medians = {"REST, uncached": percentile(rest, 0.5), "GraphQL": percentile(graphql, 0.5)}
    ratio = medians["GraphQL"] / medians["REST, uncached"]
    rows = [[name, f"{value:.2f}"] for name, value in {**medians, **refused}.items()]
    Report(
        name="graphql",
        title="GraphQL: a trivial query, and refusals",
        machine=machine,
        facts={"milliseconds": {**medians, **refused}},
        tables=[Table("Medians", ["", "ms"], rows)],
        bars=[
            Bar("a product by GraphQL to the same by REST", ratio, "<=", 2.5, " x"),
            *(Bar(f"refusal of: {name}", value, "<", 50, " ms") for name, value in refused.items()),
        ],
        notes=[f"{len(rest):,} requests of each in turns, one client, one process, the cache switched off."],
    ).publish(folder)


if __name__ == "__main__":
    main()
