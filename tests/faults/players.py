"""The processes of a history: `python -m tests.faults.players ROLE SLOT`, on settings from the environment."""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import requests
from flask import Flask

from catalog.app import create_app
from catalog.cache import HIT, invalidating
from catalog.extensions import db
from catalog.products import reads, service
from tests.faults import variants
from tests.faults.board import KEYS, Board

WRITERS = 2
THREADS = 2


class Player:
    """One process's view of the run."""

    def __init__(self, slot: int):
        variants.apply(os.environ["VARIANT"])
        self.slot = slot
        self.board = Board(Path(os.environ["BOARD"]))
        self.ids = [UUID(one) for one in json.loads(os.environ["PRODUCTS"])]
        self.app: Flask = create_app()

    def play(self, turn: Callable[[int], None], keys: list[list[int]]) -> None:
        """Take turns on random keys until the run is over, a thread for each list of keys."""
        threads = [threading.Thread(target=self._turns, args=(turn, mine)) for mine in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _turns(self, turn: Callable[[int], None], keys: list[int]) -> None:
        with self.app.app_context():
            while not self.board.stopped:
                try:
                    turn(random.choice(keys))
                except Exception as error:
                    self.board.count(self.slot, "errors")
                    sys.stderr.write(f"{type(error).__name__}: {error}\n")
                finally:
                    db.session.remove()

    def check(self, key: int, floor: int, value: int, outcome: str | None) -> None:
        """Count a read that began when `floor` was acknowledged and returned `value`."""
        self.board.count(self.slot, "reads")
        self.board.count(self.slot, "hits", outcome == HIT)
        if value < floor:
            self.board.count(self.slot, "stale")
            self.board.count(self.slot, "stale_while_cut", self.board.cut)
            sys.stderr.write(f"STALE key {key}: {value} < {floor} ({outcome})\n")

    def read_service(self, key: int) -> None:
        """Read as a part of this program would."""
        floor = self.board.acknowledged(key)
        copy = reads.product(self.ids[key])
        self.check(key, floor, copy.value["stock_quantity"], copy.outcome)

    def read_http(self, key: int) -> None:
        """Read as a client would."""
        floor = self.board.acknowledged(key)
        answer = self._session().get(f"{os.environ['WEB']}/api/v1/products/{self.ids[key]}", timeout=10)
        answer.raise_for_status()
        self.check(key, floor, answer.json()["stock_quantity"], answer.headers["X-Cache"])

    def _session(self) -> requests.Session:
        local = self.__dict__.setdefault("_local", threading.local())
        if not hasattr(local, "session"):
            local.session = requests.Session()
        return local.session

    def write(self, key: int) -> None:
        """Write the next value of a key that only this thread writes; one in ten as an import does."""
        value = max(self.board.acknowledged(key), service.get(self.ids[key]).stock_quantity) + 1
        db.session.remove()
        began = time.monotonic()
        if random.random() < 0.1:
            self._write_raw(key, value)
        else:
            service.update(self.ids[key], {"stock_quantity": value})
        self.board.acknowledge(key, value)
        self.board.count(self.slot, "writes")
        self.board.note_largest(self.slot, "slowest_write_ms", int((time.monotonic() - began) * 1000))
        time.sleep(random.expovariate(1 / 0.01))

    def _write_raw(self, key: int, value: int) -> None:
        raw = db.engine.raw_connection()
        try:
            with raw.cursor() as cursor:  # type: ignore[attr-defined]
                statement = "UPDATE products SET stock_quantity = %s, version = version + 1 WHERE id = %s"
                cursor.execute(statement, (value, str(self.ids[key])))
            with invalidating(raw, ["product:*"]):
                raw.commit()
        finally:
            raw.close()


def main(role: str, slot: int) -> None:
    """Play a role until the run is over."""
    player = Player(slot)
    everything = list(range(KEYS))
    if role == "writer":
        lanes = WRITERS * THREADS
        player.play(player.write, [everything[slot * THREADS + n :: lanes] for n in range(THREADS)])
    else:
        player.play(player.read_http if role == "http" else player.read_service, [everything] * THREADS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
