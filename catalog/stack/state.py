"""What the supervisor tells other commands: who holds the lock, and a small JSON file about its processes."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from catalog.stack.errors import StackError
from catalog.stack.places import Places
from catalog.stack.server import Server


class State:
    """`data/run/state.json`: `{"phase": "starting|running|failed", "reason": "...", "processes": [...]}`."""

    def __init__(self, places: Places) -> None:
        self.path = places.run / "state.json"

    def write(self, phase: str, servers: Sequence[Server], restarts: Mapping[str, int] | None = None) -> None:
        """Write the phase, and each process's name, pid (null when it is down), address, version, restarts."""
        processes = [
            {
                "name": server.name,
                "pid": server.pid,
                "address": server.address,
                "version": server.version,
                "restarts": (restarts or {}).get(server.name, 0),
            }
            for server in servers
        ]
        self._replace({"phase": phase, "processes": processes})

    def failed(self, reason: str) -> None:
        """Leave the reason for the command that started the supervisor."""
        self._replace({"phase": "failed", "reason": reason, "processes": []})

    def stopped(self) -> None:
        """Remove the file, unless it says why the start failed."""
        if self.read().get("phase") != "failed":
            self.path.unlink(missing_ok=True)

    def read(self) -> dict[str, Any]:
        """Return what was last written; an empty dict if nothing was."""
        try:
            return dict(json.loads(self.path.read_text()))
        except (OSError, ValueError):
            return {}

    def _replace(self, content: dict[str, Any]) -> None:
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(content, indent=1))
        draft.replace(self.path)


def _lock(places: Places) -> Path:
    return places.run / "supervisor.lock"


@contextlib.contextmanager
def held(places: Places) -> Iterator[None]:
    """Hold the supervisor's lock, with our pid in it; the system frees it however we end. StackError if it is taken."""
    with _lock(places).open("a+") as file:
        _take(file)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _take(file: IO[str]) -> None:
    deadline = time.monotonic() + 1  # `holder` takes the lock for an instant
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StackError("It is running already.") from None
            time.sleep(0.02)


def holder(places: Places) -> int | None:
    """Return the pid of the running supervisor (0 in its first instant), None if none runs."""
    try:
        with _lock(places).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StackError(f"{places.data} belongs to another user: run this as that user.") from error
    except BlockingIOError:
        return int(_lock(places).read_text() or 0)
