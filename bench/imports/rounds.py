"""Runs the contenders round by round, each in turn the first, and keeps what was measured."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.imports import contenders
from bench.imports.arena import TWIN, Arena
from bench.imports.contenders import File
from bench.imports.watch import Memory, probing
from bench.kit.figures import Timing
from bench.kit.running import Running
from catalog.commands.client import Service
from catalog.stack import StackError

# Five transforms, as a supplier's file may need them, that leave this file's products as they are.
MAPPING = {
    "name": ["name", "strip", "collapse_spaces"],
    "price": ["price", "parse_number:en", "round_to:2"],
    "category": ["category", "strip"],
}


@dataclass
class Watched:
    """What was seen while ours ran: milliseconds of the API's answers, MB of the worker, seconds of trailing work."""

    answers: list[float] = field(default_factory=list)
    job_memory: list[float] = field(default_factory=list)
    tree_memory: list[float] = field(default_factory=list)
    trailing: list[float] = field(default_factory=list)

    def note(self, memory: Memory) -> None:
        """Add the peaks of one import."""
        if memory.job is not None and memory.tree is not None:
            self.job_memory.append(memory.job)
            self.tree_memory.append(memory.tree)


class Rounds:
    """`timings` by key: a, a2, b, c, d, e, f. `file` is the product file that all of them load."""

    def __init__(self, running: Running, file: File, batch_rows: int, django_rows: int) -> None:
        self.running = running
        self.file = file
        self.arena = Arena(running.sockets)
        self.service = Service(running.url)
        self.watched = Watched()
        self.contents: set[tuple[object, ...]] = set()
        self.timings = {
            timing.key: timing
            for timing in (
                Timing("a", r"psql \copy, same columns and indexes", file.rows),
                Timing("a2", r"psql \copy, without the search index", file.rows),
                Timing("b", "model per row, INSERT of 1,000", batch_rows),
                Timing("c", "django-import-export, bulk mode", django_rows),
                Timing("d", "ours, upload to Completed", file.rows),
                Timing("e", "ours, the same file again", file.rows),
                Timing("f", "ours, through five transforms", file.rows),
            )
        }

    def run(self, rounds: int) -> None:
        """Run all contenders `rounds` times; StackError if one of them does not load what it should."""
        turns: list[Callable[[], None]] = [
            *(self._copy, self._copy_unsearched, self._batches, self._django, self._ours, self._mapped)
        ]
        for number in range(rounds):
            first = number % len(turns)
            for turn in (*turns[first:], *turns[:first]):
                turn()
            done = ", ".join(f"{key} {timing.seconds[-1]:.1f} s" for key, timing in self.timings.items())
            print(f"Round {number + 1} of {rounds}: {done}", flush=True)
        if len(self.contents) != 1:
            raise StackError(f"The contenders did not load the same products: {self.contents}")

    def _copy(self) -> None:
        self.arena.renew()
        self.timings["a"].seconds.append(contenders.copy(self.arena, self.file))
        self.contents.add(self.arena.fingerprint(TWIN))

    def _copy_unsearched(self) -> None:
        self.arena.renew(search_index=False)
        self.timings["a2"].seconds.append(contenders.copy(self.arena, self.file))

    def _batches(self) -> None:
        self.arena.renew()
        self._peer("b", "batches.py")

    def _django(self) -> None:
        self.arena.renew()
        self.arena.index_sku()
        self._peer("c", "django_import.py")

    def _peer(self, key: str, script: str) -> None:
        run = contenders.peer(script, self.timings[key].rows)
        self.timings[key].seconds.append(run(self.arena, self.file))

    def _ours(self) -> None:
        """Once into an empty table, watched, and once more."""
        self.arena.renew()
        self._import_once("d", created=self.file.rows)
        self.arena.settle()
        self._import_once("e", created=0)

    def _mapped(self) -> None:
        self.arena.renew()
        self._import_once("f", created=self.file.rows, mapping=json.dumps(MAPPING))

    def _import_once(self, key: str, created: int, **options: str) -> None:
        answers = self.watched.answers if key == "d" else []
        memory = Memory(self.running.pid("worker-imports"))
        with memory, probing(f"{self.running.url}/health/live", answers):
            seconds, status = contenders.ours(self.service, self.file, options)
        if (status["created"], status["updated"]) != (created, 0):
            raise StackError(f"Ours should have created {created} products: {status}")
        self.timings[key].seconds.append(seconds)
        self.watched.trailing.append(self.arena.wait_quiet())
        self.watched.note(memory)
        self.contents.add(self.arena.fingerprint("products"))


def measure_memory(running: Running, file: File) -> tuple[Timing, Watched]:
    """Import a file once into an empty table; return its time and the memory that the worker took."""
    arena, watched = Arena(running.sockets), Watched()
    arena.renew()
    timing = Timing("d+", "ours, for its memory", file.rows)
    with Memory(running.pid("worker-imports")) as memory:
        timing.seconds.append(contenders.ours(Service(running.url), file)[0])
    watched.note(memory)
    return timing, watched
