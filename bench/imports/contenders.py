"""The ways to import the file. Each returns its seconds, and raises StackError if rows are missing afterwards."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.imports import products
from bench.imports.arena import TWIN, Arena
from bench.kit.peers import Peers
from catalog.commands.client import Service
from catalog.stack import StackError, programs

POLL_SECONDS = 0.05
ENDED = ("Completed", "Failed", "Cancelled")


@dataclass
class File:
    """The product file: where it is and how many rows it has."""

    path: Path
    rows: int


def copy(arena: Arena, file: File) -> float:
    r"""`psql \copy` of the whole file into the twin."""
    psql = programs.postgres_server().with_name("psql")
    columns = ", ".join(products.HEADER)
    load = f"\\copy {TWIN} ({columns}) FROM '{file.path}' WITH (FORMAT csv, HEADER)"
    command = [
        str(psql),
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        str(arena.sockets),
        "-U",
        "postgres",
        "-d",
        "catalog",
    ]
    began = time.monotonic()
    subprocess.run([*command, "-c", load], check=True)
    seconds = time.monotonic() - began
    _check_count(arena, TWIN, file.rows)
    return seconds


def peer(script: str, rows: int) -> Callable[[Arena, File], float]:
    """Return the contender that a script of `bench/peers/` is, loading the first `rows` rows into the twin."""

    def run(arena: Arena, file: File) -> float:
        said = Peers("import").run(script, arena.sockets, TWIN, file.path, rows)
        _check_count(arena, TWIN, rows)
        return float(said["seconds"])

    return run


def ours(service: Service, file: File, options: dict[str, str] | None = None) -> tuple[float, dict[str, Any]]:
    """Upload the file, with form fields beside it, and wait for `Completed`.

    Return the seconds from the first byte on, and the last status.
    """
    began = time.monotonic()
    task = service.upload(file.path, options or {}, lambda _sent: None)
    while True:
        status = service.status(task)
        if status["state"] in ENDED:
            break
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - began
    if status["state"] != "Completed" or status["errors"]:
        raise StackError(f"The import did not go well: {status}")
    return seconds, status


def _check_count(arena: Arena, table: str, rows: int) -> None:
    found = arena.fingerprint(table)[0]
    if found != rows:
        raise StackError(f"{table} has {found} rows instead of {rows}.")
