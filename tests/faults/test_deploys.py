"""A deployment drops nothing: every process is replaced while clients read, write, upload and wait for events."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from tests.faults import balancers
from tests.faults.load import Load
from tests.faults.promises import TAKEN, Promises
from tests.faults.rolling import PAUSE_SECONDS, Orders, Reads, Rolling, wrk
from tests.processes import wait_for
from tests.webhooks.receivers import Receiver

ROWS = (5_000, 20_000)  # of the two files: the second is imported while the workers are replaced
SETTLED_SECONDS = 300
LEFT = {
    "deliveries": "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'",
    "writes": "SELECT count(*) FROM product_writes WHERE state = 'queued'",
    "orders": "SELECT count(*) FROM orders WHERE status NOT IN ('processed', 'failed')",
    "imports": "SELECT count(*) FROM imports WHERE state NOT IN ('completed', 'failed')",
}


@pytest.fixture
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rolling")
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    made = Rolling(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def rows(service: Rolling, statement: str) -> list:
    engine = create_engine(service.servers.database_url)
    with engine.connect() as connection:
        found = connection.execute(text(statement)).all()
    engine.dispose()
    return list(found)


def write_file(folder: Path, number: int) -> Path:
    path = folder / f"import-{number}.csv"
    with path.open("w", newline="") as file:
        written = csv.writer(file)
        written.writerow(["sku", "name", "price"])
        written.writerows([f"FILE-{number}-{row}", f"Row {row}", "1.50"] for row in range(ROWS[number]))
    return path


def upload(url: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = requests.post(f"{url}/api/v1/products/upload", files={"file": file}, timeout=30)
    answer.raise_for_status()
    return answer.json()["task_id"]


@pytest.mark.parametrize("kind", balancers.KINDS)
def test_while_every_process_is_replaced_nothing_fails_and_all_is_done_once(service, tmp_path_factory, kind):
    folder = tmp_path_factory.mktemp("clients")
    with Receiver() as receiver, balancers.KINDS[kind](folder, service.ports) as url:
        hook = {"url": receiver.url, "events": ["product.*", "order.*"], "secret": "hush"}
        requests.post(f"{url}/api/v1/webhooks", json=hook, timeout=20).raise_for_status()
        requests.post(f"{url}/api/v1/products", json={"name": "Taken", "sku": TAKEN}, timeout=20).raise_for_status()
        path = requests.post(f"{url}/api/v1/products", json={"name": "Read"}, timeout=20).headers["Location"]
        paths = [path, "/api/v1/products?limit=5", "/api/v1/products/stats", "/api/v1/orders?limit=5"]
        with (
            Load(f"{url}/api/v1/products", clients=2, pause=PAUSE_SECONDS).applied() as load,
            Promises(f"{url}/graphql", clients=2, pause=PAUSE_SECONDS).asked_for() as promises,
            Orders(url).submitted() as orders,
            Reads(url, paths).asked() as reads,
            wrk(folder, url, path) as counted,
        ):
            tasks = [upload(url, write_file(folder, 0))]
            ended = {process.name: service.replace(process) for process in service.webs}
            tasks.append(upload(url, write_file(folder, 1)))
            ended |= {process.name: service.replace(process) for process in service.others}
        settle(service)
        check_clients(load, promises, orders, reads, counted)
        check_once(service, promises, orders, tasks)
        check_told(load.acknowledged, receiver)
    assert set(ended.values()) == {0}, ended


def settle(service: Rolling) -> None:
    """Wait until all that was taken on is done."""
    for statement in LEFT.values():
        wait_for(lambda statement=statement: rows(service, statement)[0][0] == 0, SETTLED_SECONDS)


def check_clients(load: Load, promises: Promises, orders: Orders, reads: Reads, counted: dict[str, int]) -> None:
    """No client saw anything but an answer with success."""
    answered = len(load.acknowledged) + promises.writes + len(orders.taken) + reads.answered + counted["requests"]
    print(f"{answered} requests answered, {counted['requests']} of them to wrk")
    assert min(len(load.acknowledged), promises.writes, len(orders.taken), reads.answered) > 50
    assert (load.unanswered, promises.unanswered, orders.failed, reads.failed) == (0, 0, [], [])
    assert counted["failed"] == 0
    assert promises.denied == []


def check_once(service: Rolling, promises: Promises, orders: Orders, tasks: list[str]) -> None:
    """Each queued write, order and row was carried out, and once."""
    found = {str(row.id): row for row in rows(service, "SELECT id, stock_quantity, version FROM products")}
    for promise in promises.kept:
        product = found[promise.product_id]
        assert (product.stock_quantity, product.version) == (promise.count, promise.count + 1)
    failed = rows(service, "SELECT data->>'job_id' FROM webhook_events WHERE name = 'product.write_failed'")
    assert Counter(row[0] for row in failed) == Counter(promises.refused)
    told = rows(service, "SELECT data->>'id' FROM webhook_events WHERE name IN ('order.processed', 'order.failed')")
    assert Counter(int(row[0]) for row in told) == Counter(orders.taken)
    created = rows(service, "SELECT id::text, state, created FROM imports")
    assert sorted(map(tuple, created)) == sorted(
        (task, "completed", count) for task, count in zip(tasks, ROWS, strict=True)
    )
    assert rows(service, "SELECT count(*) FROM products WHERE sku LIKE 'FILE-%'")[0][0] == sum(ROWS)


def check_told(acknowledged: set, receiver: Receiver) -> None:
    """Every acknowledged change reached the receiver, under one id."""
    sent = {request.id: json.loads(request.body) for request in receiver.requests}
    changes = Counter((each["event"], each["data"].get("id"), each["data"].get("version", 0)) for each in sent.values())
    assert acknowledged <= set(changes)
    assert {changes[change] for change in acknowledged} == {1}
