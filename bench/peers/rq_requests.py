"""One RQ job for each delivery, posted with `requests`: python rq_requests.py REDIS_URL COUNT BODY_BYTES URL...

Prints {"seconds": ...} from the first job's enqueueing to the last answer, with one worker of RQ's usual kind.
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


def deliver(url: str, identity: str, size: int) -> None:
    """Post one delivery."""
    requests.post(url, b"x" * size, headers={"webhook-id": identity}, timeout=5).raise_for_status()


def main() -> None:
    """Queue all deliveries, as the web process would, and let a worker work them off."""
    redis_url, count, size, urls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    connection = Redis.from_url(redis_url)
    queue = Queue("peers", connection=connection)
    began = time.monotonic()
    for number in range(count):
        queue.enqueue("rq_requests.deliver", urls[number % len(urls)], str(number), size)
    Worker([queue], connection=connection).work(burst=True, logging_level="ERROR")
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    here = str(Path(__file__).resolve().parent)
    if os.environ.get("PYTHONPATH") != here:  # for the worker's children
        sys.exit(subprocess.run([sys.executable, *sys.argv], env={**os.environ, "PYTHONPATH": here}).returncode)
    main()
