"""One RQ job per order, one `requests` call per item: python rq_orders.py REDIS_URL ORDERS_FILE PRODUCT_URL

PRODUCT_URL has a `{}` for the SKU or its number; the file has one JSON order on each line. Prints {"seconds": ...} from
the first job's enqueueing to the last job's end, with one worker of RQ's usual kind. It writes nothing down.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import requests
from redis import Redis
from rq import Queue, Worker


def process(order: dict, url: str) -> None:
    """Look each item up, and total the order."""
    for item in order["items"]:
        answer = requests.get(url.format(item["sku"].rpartition("-")[2]), timeout=5)
        answer.raise_for_status()
        item["product"], item["line_total"] = answer.json(), item["unit_price"] * item["quantity"]
    order["total"] = sum(item["line_total"] for item in order["items"])


def main() -> None:
    """Queue all orders, as a web process would, and let a worker work them off."""
    redis_url, file, url = sys.argv[1:]
    connection = Redis.from_url(redis_url)
    queue = Queue("peers", connection=connection)
    orders = [json.loads(line) for line in Path(file).read_text().splitlines()]
    began = time.monotonic()
    for order in orders:
        queue.enqueue("rq_orders.process", order, url)
    Worker([queue], connection=connection).work(burst=True, logging_level="ERROR")
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    here = str(Path(__file__).resolve().parent)
    if os.environ.get("PYTHONPATH") != here:  # for the worker's children
        sys.exit(subprocess.run([sys.executable, *sys.argv], env={**os.environ, "PYTHONPATH": here}).returncode)
    main()
