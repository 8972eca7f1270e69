"""`python3 manage.py bench console`: the server time of each page, with a full database.

1,000,000 products, 100,000 deliveries of the last day and 10,000 imports of the last month, each page asked again and
again by one client, in turn; and how old an import's progress is on its page.
"""

import argparse
import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import requests

from bench.kit.figures import Bar, percentile
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import Running, running_project
from bench.reads import lists

LIMIT_MS = 50.0
LIMIT_AGE_SECONDS = 1.0
WARM_UPS = 3
HTML = {"Accept": "text/html"}

FILL = """
INSERT INTO webhooks (url, events)
SELECT 'https://hooks.example.com/' || n, ARRAY['product.*'] FROM generate_series(1, 20) n;

INSERT INTO webhook_events (id, name, data, created_at)
SELECT uuidv7(interval '-24 hours' * n / {deliveries}), (ARRAY['product.created', 'product.updated'])[1 + n % 2],
       json_build_object('id', n, 'sku', 'SKU-' || n), now() - interval '24 hours' * n / {deliveries}
FROM generate_series(1, {deliveries}) n;

INSERT INTO webhook_deliveries (webhook_id, event_id, status, attempts, queued_at, due_at, finished_at)
SELECT (SELECT array_agg(id) FROM webhooks)[1 + (number % 20)::int], id,
       (ARRAY['delivered', 'delivered', 'delivered', 'failed'])[1 + (number % 4)::int], 1, created_at, NULL, created_at
FROM (SELECT id, created_at, row_number() OVER (ORDER BY id) AS number FROM webhook_events) AS numbered;

INSERT INTO webhook_attempts
    (id, webhook_id, delivery_id, event_id, event, attempt, status_code, response_time_ms, error, created_at)
SELECT uuidv7(e.created_at - now()), d.webhook_id, d.id, e.id, e.name, 1,
       CASE WHEN d.status = 'failed' THEN 500 ELSE 200 END, (random() * 200)::int,
       CASE WHEN d.status = 'failed' THEN 'The receiver answered 500.' END, e.created_at
FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id;

INSERT INTO imports (id, filename, size, options, header, ignored_columns, state, percent, total_rows, staged_rows,
    created, rejected, created_at, started_at, finished_at)
SELECT uuidv7(interval '-30 days' * n / {imports}), 'supplier-' || n || '.csv', 100000,
       '{{"mode": "upsert", "on_error": "skip", "empty": "keep", "mapping": null}}', '["sku", "name", "price"]', '[]',
       'completed', 100, 1000, 990, 990, 10, now() - interval '30 days' * n / {imports},
       now() - interval '30 days' * n / {imports}, now() - interval '30 days' * n / {imports}
FROM generate_series(1, {imports}) n;

INSERT INTO import_chunks (import_id, number, created, updated, unchanged, rejected, committed_at)
SELECT id, n, 495, 0, 0, 5, finished_at FROM imports, generate_series(0, 1) n;
INSERT INTO import_errors (import_id, line, field, code, message, data)
SELECT id, n + 1, 'price', 'invalid', 'Not a valid number.', '["S-1", "Lamp", "cheap"]'
FROM imports, generate_series(1, 10) n;

INSERT INTO audit_entries (id, actor_id, actor_name, action, entity, entity_id, before, after)
SELECT uuidv7(interval '-30 days' * n / {entries}), 'key:bench-' || n % 20, 'bench', 'update', 'product',
       n::text, '{{"price": 1.5}}', '{{"price": 2.5}}'
FROM generate_series(1, {entries}) n;
"""
FILLED = ("webhook_events", "webhook_deliveries", "webhook_attempts", "imports", "import_chunks", "import_errors")
ANALYZE = f"VACUUM ANALYZE {', '.join(FILLED)}, audit_entries"


def main() -> None:
    """Fill, measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench console", description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--imports", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the audit (1,000,000)")
    parser.add_argument("--repeats", type=int, default=60, help="requests of each page (60)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    machine = describe_machine()
    with running_project() as running:
        fill(running, asked)
        pages = {name: times(running, path, asked.repeats) for name, path in addresses(running)}
        age = progress_age(running)
    publish(machine, asked, pages, age)


def fill(running: Running, asked: argparse.Namespace) -> None:
    """Fill the database as the figures of the console ask."""
    lists.fill(running.sockets, asked.products)
    with closing(psycopg2.connect(host=str(running.sockets), user="postgres", dbname="catalog")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(FILL.format(deliveries=asked.deliveries, imports=asked.imports, entries=asked.entries))
            cursor.execute(ANALYZE)


def addresses(running: Running) -> Iterator[tuple[str, str]]:
    """Yield each page's name and path."""
    product = first(running, "products")
    webhook, imported = first(running, "webhooks"), first(running, "imports")
    yield from {
        "overview": "/console/overview",
        "overview, charts": "/console/overview/charts",
        "products": "/console/products",
        "products, by name": "/console/products?sort=name",
        "products, a search": "/console/products?search=garden+lamp",
        "products, a common word": "/console/products?search=number",
        "products, one letter": "/console/products?search=g",
        "products, a rare word": "/console/products?search=lamp+1234",
        "products, no such word": "/console/products?search=nowhere",
        "products, a search by price": "/console/products?search=garden+lamp&sort=price",
        "products, a search by name": "/console/products?search=garden+lamp&sort=name",
        "products, filtered": "/console/products?active=false&category=Category+7",
        "product": f"/console/products/{product}",
        "product, history": f"/console/products/{product}/history",
        "imports": "/console/imports",
        "imports, page 400": "/console/imports?offset=8000",
        "import": f"/console/imports/{imported}",
        "import, rejected rows": f"/console/imports/{imported}/rejected",
        "webhooks": "/console/webhooks",
        "webhook": f"/console/webhooks/{webhook}",
        "webhook, deliveries": f"/console/webhooks/{webhook}/deliveries",
        "webhook, failed ones": f"/console/webhooks/{webhook}/deliveries?status=failed",
        "webhooks, all deliveries": "/console/webhooks/deliveries",
        "webhooks, all failed ones": "/console/webhooks/deliveries?status=failed",
        "orders": "/console/orders",
        "tasks": "/console/tasks",
        "jobs": "/console/jobs",
        "api": "/console/api",
        "keys": "/console/keys",
        "users": "/console/users",
        "audit": "/console/audit",
        "audit, a product's": f"/console/audit?entity=product&id={product}",
        "audit, somebody's": "/console/audit?actor=key:bench-7",
    }.items()


def first(running: Running, kind: str) -> uuid.UUID:
    """Return the id of the first of a list."""
    page = requests.get(f"{running.url}/api/v1/{kind}", params={"limit": 1}, timeout=60).json()
    return uuid.UUID(page["items"][0]["id"])


def times(running: Running, path: str, repeats: int) -> list[float]:
    """Return the milliseconds that a page took, as a client on the same machine has them.

    It costs little itself: `requests` takes 2 ms for each, which would count as the service's.
    """
    connection, taken = HTTPConnection(urlsplit(running.url).netloc, timeout=60), []
    for number in range(repeats + WARM_UPS):
        began = time.perf_counter()
        connection.request("GET", path, headers=HTML)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {text[:500]!r}")
        if number >= WARM_UPS:
            taken.append((time.perf_counter() - began) * 1000)
    return taken


def progress_age(running: Running) -> float:
    """Return for how many seconds at most the stream of an import's page had not told what the API told already."""
    file = io.BytesIO(b"sku,name,price\n" + b"".join(b"P-%d,Lamp,%d.5\n" % (n, n % 900 + 1) for n in range(300_000)))
    answer = requests.post(f"{running.url}/api/v1/products/upload", files={"file": ("big.csv", file)}, timeout=60)
    import_id = answer.json()["task_id"]
    told: list[tuple[float, Progress]] = []
    listening = threading.Thread(target=listen, args=(f"{running.url}/console/imports/{import_id}/events", told))
    listening.start()
    known = ask(f"{running.url}/api/v1/products/import/{import_id}/progress")
    listening.join()
    return max(age(at, progress, known, told) for at, progress in known)


Progress = tuple[int, int]


def ask(address: str) -> list[tuple[float, Progress]]:
    """Return when the API told which (percent, rows), twenty times a second until the import ends."""
    known: list[tuple[float, Progress]] = []
    while True:
        found = requests.get(address, timeout=60).json()
        known.append((time.perf_counter(), (found["percent"], found["current"])))
        if found["status"] in ("SUCCESS", "FAILURE"):
            return known
        time.sleep(0.05)


def listen(address: str, told: list[tuple[float, Progress]]) -> None:
    """Add what the page's stream tells, and when, until the import ends."""
    with requests.get(address, stream=True, timeout=60) as events:
        for line in events.iter_lines(chunk_size=1):
            if line.startswith(b"data:"):
                found = json.loads(line.removeprefix(b"data:"))
                told.append((time.perf_counter(), (found["percent"], found["current"])))


def age(
    at: float, progress: Progress, known: list[tuple[float, Progress]], told: list[tuple[float, Progress]]
) -> float:
    """Return since when the page lagged behind at a moment, in seconds; 0 where it showed all that was known."""
    shown = max((each for moment, each in told if moment <= at), default=(0, 0))
    if shown >= progress:
        return 0.0
    return at - min(moment for moment, each in known if each > shown)


def publish(machine: dict[str, Any], asked: argparse.Namespace, pages: dict[str, list[float]], age: float) -> None:
    """Print and write the report."""
    rows = [[name, *(f"{percentile(taken, share):.1f}" for share in (0.5, 0.95, 1))] for name, taken in pages.items()]
    figures = {
        name: {"p50_ms": percentile(taken, 0.5), "p95_ms": percentile(taken, 0.95)} for name, taken in pages.items()
    }
    size = f"{asked.products:,} products, {asked.deliveries:,} deliveries, {asked.imports:,} imports"
    Report(
        name="console",
        title=f"The console's pages with {size}",
        machine=machine,
        facts={"pages": figures, "progress_age_seconds": age},
        tables=[Table("Pages, milliseconds", ["page", "p50", "p95", "longest"], rows)],
        bars=[
            *(Bar(f"{name}, p95", percentile(taken, 0.95), "<", LIMIT_MS, " ms") for name, taken in pages.items()),
            Bar("progress of an import, oldest on its page", age, "<=", LIMIT_AGE_SECONDS, " s"),
        ],
        notes=["As a client on the same machine has them, so the network's share and the client's own are in them."],
    ).publish(asked.results)


if __name__ == "__main__":
    main()
