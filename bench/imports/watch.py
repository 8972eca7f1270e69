"""Watches a running import from outside: the memory of its worker, and how quickly the API answers meanwhile."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EVERY_SECONDS = 0.1
PROC = Path("/proc")
PROBE = Path(__file__).with_name("probe.py")


class Memory:
    """Peaks in MB (10^6 bytes) of a worker's tree of processes; None where there is no /proc.

    `job` is the sum of the high-water marks (VmHWM) of the processes below the worker that run the job: it counts pages
    that they share each time, so it errs upwards. `tree` is the memory (PSS) of the worker and all below it.
    """

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.job: float | None = None
        self.tree: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            below = list(_descendants(self.worker))
            if below:
                self.job = max(self.job or 0, sum(_megabytes(pid, "status", "VmHWM") for pid in below))
                tree = sum(_megabytes(pid, "smaps_rollup", "Pss") for pid in (self.worker, *below))
                self.tree = max(self.tree or 0, tree)


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    """Return the pids that `pid` started, from whichever thread; none for a process that has ended."""
    found: list[int] = []
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _megabytes(pid: int, file: str, field: str) -> float:
    """Return a figure that the system states in kB; 0 for a process that has just ended."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", (PROC / str(pid) / file).read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 / 1e6 if found else 0


@contextmanager
def probing(url: str, milliseconds: list[float]) -> Iterator[None]:
    """Ask `url` every 20 ms until the end of the block, then add the milliseconds of every answer to the list."""
    command = [sys.executable, str(PROBE), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probe:
        try:
            yield
        finally:
            said, _ = probe.communicate()
        milliseconds += json.loads(said)
