"""Requests per second of `POST /api/v1/orders`, and of an empty route, by wrk; each order is another one."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.kit.peers import BENCH
from bench.kit.running import GUNICORN, free_port, wait_answers

CONNECTIONS = 16
_SCRIPT = """
local id = tonumber(os.getenv("WRK_FROM"))
local body = '{"id": %d, "customer": "ACME Corp", "items": [{"sku": "CAT-1", "quantity": 3, "unit_price": 10}, ' ..
  '{"sku": "CAT-2", "quantity": 1, "unit_price": 19.9}], "submitted_at": "2026-01-05T10:00:00Z"}'
local headers = {["Content-Type"] = "application/json"}
request = function()
  id = id + 1
  return wrk.format("POST", "/api/v1/orders", headers, body:format(id))
end
"""


@contextmanager
def empty_route(workers: int, threads: int) -> Iterator[str]:
    """Serve the empty route under gunicorn with as many processes and threads as ours; yield its address."""
    port = free_port()
    command = [*GUNICORN, "-w", str(workers), "--threads", str(threads)]
    options = ["--preload", "--no-control-socket", "-b", f"127.0.0.1:{port}", "empty_post:app"]
    null = subprocess.DEVNULL
    server = subprocess.Popen([*command, *options], cwd=BENCH / "peers", stdout=null, stderr=null)
    try:
        wait_answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def measure(url: str, folder: Path, seconds: int, first: int) -> tuple[float, int]:
    """Load an address for so long with orders from this id on; return requests/s and how many were answered."""
    script = folder / "orders.lua"
    script.write_text(_SCRIPT)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", str(script), url]
    said = subprocess.run(command, env={"WRK_FROM": str(first)}, capture_output=True, text=True, check=True).stdout
    if failed := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise SystemExit(f"{url} refused {failed[1]} orders.")
    pace, count = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"(\d+) requests in", said)
    if not pace or not count:
        raise SystemExit(f"wrk said something else than expected:\n{said}")
    return float(pace[1]), int(count[1])
