"""Finds and ends what a killed supervisor left behind, and nothing else.

Our Python processes, and all they start, carry the data folder in an environment variable; a PostgreSQL or a Redis of
ours has it in its command line.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from catalog.stack.places import Places

MARK = "CATALOG_STACK"
SERVERS = ("postgres", "valkey-server", "redis-server")  # the last is what the version before this one ran


def mark(places: Places) -> dict[str, str]:
    """Return the environment variable by which a process is known as this stack's."""
    return {MARK: str(places.data)}


def find(places: Places) -> list[psutil.Process]:
    """Return the processes of this stack, save this process and those that it descends from."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    folders = {str(places.data / "redis-queue"), str(places.data / "redis-cache")}
    folders |= {str(home / "postgres") for home in (places.data, places.apart)}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and (_is_marked(process, places) or _serves(process, folders))
    ]


def end(places: Places, seconds: float = 5) -> int:
    """End every process of this stack, by force after `seconds`; return how many there were."""
    found = find(places)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT if _program(process) == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=seconds)
    for process in {*alive, *find(places)}:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=seconds)
    return len(found)


def _is_marked(process: psutil.Process, places: Places) -> bool:
    try:
        return bool(process.environ().get(MARK) == str(places.data))
    except (psutil.Error, OSError):
        return False


def _serves(process: psutil.Process, folders: set[str]) -> bool:
    """Whether it is a PostgreSQL or Redis with its data in one of `folders`."""
    try:
        return _program(process) in SERVERS and bool(folders & set(process.cmdline()))
    except psutil.Error:
        return False


def _program(process: psutil.Process) -> str:
    with suppress(psutil.Error, IndexError):
        return Path(process.cmdline()[0]).name
    return ""
