"""One run: writers, readers, a web server and a clock, while the cache is killed, wiped, stopped and cut off."""

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
import requests

from catalog.app import create_app
from catalog.cache import HIT
from catalog.extensions import db
from catalog.products import reads, service
from catalog.stack import Embedded
from tests.faults import clusters
from tests.faults.board import KEYS, Board
from tests.faults.players import WRITERS
from tests.faults.proxy import Proxy
from tests.forked import Forked
from tests.processes import free_port, running, wait_for

KINDS = 5  # of faults
READS_A_SECOND = 100  # that a run takes at least, however long that takes
DEADLINE = 120.0
FAULTS_WITHIN_DEADLINE = 60


class History:
    """Sets a run up, plays it, and keeps what came of it in `board`."""

    def __init__(self, folder: Path, variant: str):
        self.servers = Embedded(folder / "servers", postgres_settings=clusters.FAST)
        self.folder, self.variant = folder, variant
        self.writers: list[Forked] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "History":
        clusters.migrate(self.servers)
        self._stack.enter_context(self.servers)
        self._stack.callback(self.servers.cache.send, signal.SIGCONT)
        self.proxy = Proxy(str(self.servers.cache.socket))
        self._stack.callback(self.proxy.close)
        self.board = Board(self.folder / "board")
        self.environment = {
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CACHE_REDIS_URL": self.servers.cache_redis_url,
            "CATALOG_ENV_FILE": os.devnull,
            "DATA_DIR": str(self.folder),
            "LOG_LEVEL": "ERROR",
            "VARIANT": self.variant,
            "BOARD": str(self.folder / "board"),
        }
        self._make_products()
        self._start_processes()
        return self

    def __exit__(self, *_: Any) -> None:
        self.board.stop()
        with self.app.app_context():
            db.engine.dispose()
        self._stack.close()

    def _make_products(self) -> None:
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        self.app = create_app()
        os.environ.update({name: value for name, value in before.items() if value is not None})
        with self.app.app_context():
            self.ids = [service.create({"name": f"Product {number}"}).id for number in range(KEYS)]
        self.environment["PRODUCTS"] = json.dumps([str(one) for one in self.ids])

    def _start_processes(self) -> None:
        port = free_port()
        self.environment |= {"WEB": f"http://127.0.0.1:{port}", "PORT": str(port), "WEB_WORKERS": "2"}
        served = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "tests.faults.served:app")
        self._stack.enter_context(running(self.environment, *served))
        self._fork("tests.faults.clocked")
        wait_for(self._is_served)
        for slot in range(WRITERS):
            self._start_writer(slot)
        for slot, role in enumerate(("service", "service", "http"), start=WRITERS):
            self._fork("tests.faults.players", role, str(slot))
        wait_for(lambda: self.board.total("reads") > 100 and self.board.total("writes") > 10, DEADLINE)

    def _is_served(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.environment['WEB']}/health/live", timeout=1).ok
        return False

    def _fork(self, *command: str, **settings: str) -> Forked:
        log = self.folder / "players.log"
        process = Forked(command, {**os.environ, **self.environment, **settings}, log, log)
        self._stack.callback(process.end)
        return process

    def _start_writer(self, slot: int) -> None:
        """Writers reach the cache through the proxy alone."""
        through = f"redis://127.0.0.1:{self.proxy.port}/0"
        process = self._fork("tests.faults.players", "writer", str(slot), CACHE_REDIS_URL=through)
        self.writers[slot : slot + 1] = [process]

    def play(self, seconds: float) -> None:
        """Play for so long, and until each kind of fault has come and enough was read."""
        began = time.monotonic()
        faults = self._faults()
        for number, fault in enumerate(faults):
            played = time.monotonic() - began
            if played > seconds and number >= KINDS and self.board.total("reads") > READS_A_SECOND * seconds:
                return
            assert played < seconds + DEADLINE, self.report()
            fault()

    def play_until_stale(self, seconds: float) -> None:
        """Play until a read was stale, for at most `seconds`, or the faults that an idle machine has in them."""
        ends = time.monotonic() + seconds
        for number, fault in enumerate(self._faults()):
            if self.board.total("stale") or (number >= FAULTS_WITHIN_DEADLINE and time.monotonic() > ends):
                return
            fault()

    def _faults(self) -> Iterator[Callable[[], None]]:
        """Give out the kinds of faults in random order, all of them before one comes again, with a time between."""
        kinds = [self.kill_cache, self.wipe_cache, self.stop_cache, self.cut_writers, self.kill_writer]
        while True:
            for fault in random.sample(kinds, KINDS):
                _let_pass(random.uniform(0.3, 1.2))
                yield fault

    def kill_cache(self) -> None:
        """End the cache's Redis at once, and start it again, empty."""
        self.servers.cache.send(signal.SIGKILL)
        self.servers.cache.wait_ended(5)
        _let_pass(random.choice([0, 0.5, 1.5]))
        self.servers.cache.start()

    def wipe_cache(self) -> None:
        """Empty the cache."""
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.servers.cache_redis_url) as client:
            client.flushall()

    def stop_cache(self) -> None:
        """Stop the cache's Redis for a while, which keeps what it holds."""
        self.servers.cache.send(signal.SIGSTOP)
        _let_pass(random.choice([0.1, 0.3, 0.5, 1.5]))
        self.servers.cache.send(signal.SIGCONT)

    def cut_writers(self) -> None:
        """Keep the writers alone away from the cache for a while."""
        self.board.cut = True
        self.proxy.cut()
        _let_pass(random.choice([0.3, 1.0, 2.0]))
        self.proxy.heal()
        if random.random() < 0.5:
            self.proxy.reset()
        _let_pass(2)  # the time that the promise allows for
        self.board.cut = False

    def kill_writer(self) -> None:
        """End a writer wherever it is, and start another in its place."""
        slot = random.randrange(WRITERS)
        self.writers[slot].kill()
        self.writers[slot].wait()
        self._start_writer(slot)

    def settled(self) -> bool:
        """Whether every copy, read now, is what PostgreSQL holds, and comes from the cache."""
        with self.app.app_context():
            for identity in self.ids:
                copy = reads.product(identity)
                if copy.outcome != HIT or copy.value["stock_quantity"] != service.get(identity).stock_quantity:
                    return False
                db.session.remove()
        return True

    def report(self) -> str:
        """Return the counters as one line."""
        names = ("reads", "hits", "writes", "stale", "stale_while_cut", "errors")
        counted = ", ".join(f"{name} {self.board.total(name)}" for name in names)
        return f"{self.variant}: {counted}, slowest write {self.board.largest('slowest_write_ms')} ms"


def _let_pass(seconds: float) -> None:
    """Faults last for a time: the only sleeping here, and nothing is decided by it."""
    time.sleep(seconds)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name, History(Path(name), sys.argv[1]) as history:
        history.play(float(sys.argv[2]))
        history.board.stop()
        sys.stdout.write(history.report() + "\n")
        history.servers.cache.send(signal.SIGCONT)
        sys.stdout.write(f"settled: {wait_for(history.settled, DEADLINE)}\n")
