"""The log files of a stack: readable by their owner alone, shown as they grow, and kept small."""

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import IO

from catalog.stack.errors import StackError
from catalog.stack.places import Places
from catalog.terminal import visible_lines

LARGEST_BYTES = 20_000_000
_NAME_WIDTH = 15
_COLOURS = (36, 33, 32, 35, 31, 34)  # of ANSI: cyan, yellow, green, magenta, red, blue; then each of them bright


log = logging.getLogger("catalog.supervisor")


def opened(path: Path) -> IO[bytes]:
    """Open a log to append to it, readable by its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def rotate(places: Places) -> None:
    """Keep one older part of each log that has grown too large; its writer appends, so it goes on in the same file."""
    for path in places.logs.glob("*.log"):
        if path.stat().st_size > LARGEST_BYTES:
            _rotate(path)


def _rotate(path: Path) -> None:
    older = path.with_suffix(".log.1")
    try:
        opened(older).close()
        shutil.copyfile(path, older)
    except OSError as error:  # a full disk must not end the supervisor
        older.unlink(missing_ok=True)
        log.warning("Could not rotate a log: file=%s error=%s", path, error)
    else:
        os.truncate(path, 0)


def choose(places: Places, name: str | None) -> list[Path]:
    """Return the log of the process `name`, or all of them; StackError that lists them if there is none."""
    found = sorted(places.logs.glob("*.log"))
    chosen = [path for path in found if name in (None, path.stem)]
    if not chosen:
        known = ", ".join(path.stem for path in found) or "none yet: `python3 manage.py start` makes them"
        raise StackError(f"There is no log{f' of {name!r}' if name else ''}. There are: {known}")
    return chosen


class Follower:
    """Prints lines of several logs, each with its process's name in its own colour where a terminal shows it."""

    def __init__(self, places: Places, name: str | None = None) -> None:
        self.places = places
        self.name = name
        self.output = sys.stdout
        self.colours = cycle(f"{bright}{colour}" for bright in ("", "1;") for colour in _COLOURS)
        self.files: dict[Path, tuple[IO[bytes], str]] = {}

    def skip_to_end(self) -> None:
        """Show only what comes from now on."""
        for file, _ in self._files():
            file.seek(0, 2)

    def skip_to_last(self, lines: int) -> None:
        """Show the last `lines` lines of each log, then what comes."""
        for file, _ in self._files():
            end = file.seek(0, 2)
            file.seek(max(0, end - 2_000 * lines))
            rest = file.read().splitlines(keepends=True)
            file.seek(end - sum(map(len, rest[-lines:])))

    def show(self) -> None:
        """Print the lines that are complete and were not yet shown."""
        for path, (file, colour) in zip(list(self.files), self._files(), strict=False):
            if path.stat().st_size < file.tell():
                file.seek(0)
            self._show(path.stem, file, colour)

    def _files(self) -> Sequence[tuple[IO[bytes], str]]:
        for path in sorted(self.places.logs.glob("*.log")):
            if path not in self.files and self.name in (None, path.stem):
                self.files[path] = (path.open("rb"), next(self.colours))
        return list(self.files.values())

    def _show(self, name: str, file: IO[bytes], colour: str) -> None:
        while line := file.readline():
            if not line.endswith(b"\n"):
                file.seek(-len(line), 1)
                return
            for text in line.decode("utf-8", "replace").splitlines():
                self._print(name, text, colour)

    def _print(self, name: str, text: str, colour: str) -> None:
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name:<{_NAME_WIDTH}} | "
        if self.output.isatty():
            prefix = f"\033[0m\033[{colour}m{prefix}\033[0m"
        self.output.write(f"{prefix}{visible_lines(text)}\n")
        self.output.flush()
