"""Asks URL every 20 ms until its standard input closes; prints the milliseconds of every answer as a JSON list.

A process of its own, so that nothing else the benchmark does delays it. Each answer is timed from the moment it was
due, so a service that stalls does not hide the questions that were held up; a failure counts as the timeout.
"""

import http.client
import json
import select
import sys
import time
from urllib.parse import urlsplit

EVERY_SECONDS = 0.02
TIMEOUT_SECONDS = 10


def main(url: str) -> None:
    """Probe, then print."""
    milliseconds = []
    due = time.monotonic()
    while not _told_to_stop(due):
        answered = _answers(url)
        spent = time.monotonic() - due if answered else TIMEOUT_SECONDS
        milliseconds.append(round(spent * 1000, 2))
        due += EVERY_SECONDS
    print(json.dumps(milliseconds))


def _told_to_stop(due: float) -> bool:
    """Wait until the next question is due, or the benchmark has closed our input."""
    readable, _, _ = select.select([sys.stdin], [], [], max(0, due - time.monotonic()))
    return bool(readable)


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
