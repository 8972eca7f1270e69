"""`python -m catalog.health.probe [--wait SECONDS]`: exit status 0 if the service here is ready.

The health check of containers. Standard library only, since it runs every few seconds.
"""

import argparse
import http.client
import os
import sys
import time

PAUSE_SECONDS = 0.2


def main(arguments: list[str]) -> int:
    """Ask until the service is ready or the time is over; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m catalog.health.probe")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    deadline = time.monotonic() + parser.parse_args(arguments).wait
    port = int(os.environ.get("PORT", "").strip() or 5000)
    while problem := _problem(port):
        if time.monotonic() >= deadline:
            print(problem, file=sys.stderr)  # noqa: T201
            return 1
        time.sleep(PAUSE_SECONDS)
    return 0


def _problem(port: int) -> str | None:
    """Why `GET /health/ready` is no 200; None if it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(2_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"Nothing answers on port {port}: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{answer.status}: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
