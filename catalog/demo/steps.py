"""The parts of the walk, in their order; each makes what it needs, so that the demo can be run again."""

import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog.demo.shown import Walk
from catalog.stack.errors import StackError

ROWS, FEW_ROWS = 50_000, 5_000
BAD_ROWS = {21: "DEMO-{n},,9.90", 87: "DEMO-{n},Lamp,cheap", 333: ",Nameless lamp,9.90"}
HITS = 50
SECRET = "hush"  # noqa: S105  # nosec B105


def health(walk: Walk) -> None:
    """Show what the service says of itself."""
    walk.title("1  Is it well?")
    walk.call("GET", "/health/ready")


def product(walk: Walk) -> str:
    """Create a product, read it from the cache, change it, read it again; return its path."""
    walk.title("2  A product, and its cached copy")
    created = walk.call("POST", "/api/v1/products", {"name": "Desk lamp", "price": 39.9, "category": "Lighting"})
    path = f"/api/v1/products/{created.json['id']}"
    miss = walk.call("GET", path)
    walk.call("GET", path)
    hits = [walk.call("GET", path, quiet=True).milliseconds for _ in range(HITS)]
    walk.say(f"The same {HITS} times more: median {statistics.median(hits):.2f} ms.")
    walk.figure("read, from PostgreSQL", f"{miss.milliseconds:.1f} ms")
    walk.figure(f"read, from the cache (median of {HITS})", f"{statistics.median(hits):.2f} ms")
    walk.say("A change is seen by the very next read:")
    walk.call("PATCH", path, {"price": 34.9})
    walk.call("GET", path)
    return path


def imports(walk: Walk, fast: bool) -> None:
    """Import a file with some rows that are wrong, with a bar, and explain those."""
    from catalog.commands.client import Service
    from catalog.commands.imports import run

    rows = FEW_ROWS if fast else ROWS
    walk.title(f"3  An import of {rows:,} rows, three of them wrong")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "products.csv"
        file.write_text("".join(_lines(rows, secrets.token_hex(3))))
        walk.say(f"$ python3 manage.py import {file.name}")
        began = time.monotonic()
        status = run(Service(walk.url), file, {}, walk.console)
    seconds = time.monotonic() - began
    if status["state"] != "Completed":
        raise StackError(f"The import ended as {status['state']}: {status.get('error')}")
    walk.figure(f"import of {rows:,} rows", f"{seconds:.1f} s, {rows / seconds:,.0f} rows/s")


def _lines(rows: int, run: str) -> Iterator[str]:
    yield "sku,name,price\n"
    for n in range(1, rows + 1):
        yield BAD_ROWS.get(n, "DEMO-{run}-{n},Product {n},{price}").format(n=n, run=run, price=n % 900 + 0.5) + "\n"


def webhooks(walk: Walk, path: str, host: str, bind: str) -> None:
    """Subscribe two receivers, one of which fails at first; change a product; show what they get."""
    walk.title("4  Webhooks: signed, and tried again")
    heard: list[tuple[float, str, dict[str, Any]]] = []
    hooks: list[str] = []
    with _receiver("steady", 0, bind, heard) as steady, _receiver("failing", 1, bind, heard) as failing:
        for port in (steady, failing):
            hook = {"url": f"http://{host}:{port}/", "events": ["product.updated"], "secret": SECRET}
            hooks.append(str(walk.call("POST", "/api/v1/webhooks", hook).json["id"]))
        try:
            began = time.monotonic()
            walk.call("PATCH", path, {"stock_quantity": secrets.randbelow(10_000)})
            _wait(lambda: len(heard) >= 3, "the two receivers")
        finally:
            for each in hooks:
                walk.call("DELETE", f"/api/v1/webhooks/{each}", quiet=True)
    for at, name, report in sorted(heard, key=lambda one: one[0]):
        verdict = report["problem"] or "signature verified"
        walk.say(f"  after {at - began:5.2f} s  {name:<8} {report['event']}  {verdict}, answered {report['status']}")
    first = min(at for at, _, _ in heard) - began
    walk.figure("from a change to its receiver", f"{first * 1000:.0f} ms")


@contextmanager
def _receiver(name: str, flap: int, bind: str, heard: list[tuple[float, str, dict[str, Any]]]) -> Iterator[int]:
    """Run a receiver that fails the first `flap` attempts; yield its port."""
    from catalog.webhooks.receiver import Behaviour, server

    def show(report: dict[str, Any]) -> None:
        heard.append((time.monotonic(), name, report))

    with server(0, Behaviour(secret=SECRET, flap=flap), show, bind) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield int(running.server_address[1])
        running.shutdown()


def graphql(walk: Walk) -> None:
    """Create a product by GraphQL, queued and at once."""
    walk.title("5  GraphQL: queued, and at once")
    made = 'title: "Floor lamp", price: 129.0, category: "Lighting"'
    queued = walk.call(
        "POST", "/graphql", {"query": f"mutation {{ createProduct({made}) {{ success message jobId }} }}"}
    )
    job = queued.json["data"]["createProduct"]["jobId"]
    if job:  # none where Redis is away: then it is made at once
        walk.until(f"/api/v1/jobs/{job}", lambda answer: answer["state"] == "completed")
    walk.call(
        "POST", "/graphql", {"query": f"mutation {{ createProductSync({made}) {{ product {{ id sku title }} }} }}"}
    )
    walk.figure("GraphQL, a queued creation answered in", f"{queued.milliseconds:.1f} ms")


def order(walk: Walk, path: str) -> None:
    """Submit an order and show it enriched."""
    walk.title("6  An order, enriched from the catalog")
    sku = walk.call("GET", path, quiet=True).json["sku"]
    number = secrets.randbelow(2**40) + 1
    item = {"sku": sku, "quantity": 3, "unit_price": 34.9}
    began = time.monotonic()
    walk.call("POST", "/api/v1/orders", {"id": number, "customer": "ACME Corp", "items": [item], **_now()})
    done = walk.until(f"/api/v1/orders/{number}", lambda answer: answer["status"] in ("processed", "failed"))
    if done["status"] != "processed":
        raise StackError(f"The order failed: {done['error']}")
    walk.figure("an order, from its request to processed", f"{(time.monotonic() - began) * 1000:.0f} ms")


def _now() -> dict[str, str]:
    return {"submitted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def job(walk: Walk) -> None:
    """Submit a slow job, see it run, stop it."""
    walk.title("7  A job, cancelled while it runs")
    task = walk.call("POST", "/api/v1/jobs/test", {"seconds": 60}).json["task_id"]
    walk.until(f"/api/v1/jobs/{task}", lambda answer: answer["state"] == "running")
    began = time.monotonic()
    walk.call("DELETE", f"/api/v1/jobs/{task}")
    walk.until(f"/api/v1/jobs/{task}", lambda answer: answer["state"] in ("cancelled", "stopped"))
    walk.figure("a running job, stopped in", f"{time.monotonic() - began:.1f} s")


def _wait(holds: Callable[[], bool], whom: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise StackError(f"Waited {seconds:.0f} s for {whom} in vain.")
        time.sleep(0.02)
