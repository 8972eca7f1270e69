"""Runs the servers and the processes of the Procfile, and starts again what dies.

One thread, one loop: on Linux a child lives no longer than the thread that started it, so `kill -9` of the supervisor
ends them all; what still survives is ended by the next start.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from catalog.stack import leftovers, logs
from catalog.stack.embedded import start_all, stop_all
from catalog.stack.errors import StackError
from catalog.stack.program import programs
from catalog.stack.project import Project
from catalog.stack.server import Server
from catalog.stack.state import State, held

TICK_SECONDS = 0.1
HEAD_START_SECONDS = 10.0
PROGRAMS_GRACE_SECONDS = 3.0
SERVERS_GRACE_SECONDS = 1.2
STEADY_SECONDS = 30
NO_STATEMENT_TIMEOUT = {"DATABASE_STATEMENT_TIMEOUT_SECONDS": "86400"}  # a migration may take long
LONGEST_PAUSE_SECONDS = 30.0

log = logging.getLogger("catalog.supervisor")


class Restarts:
    """When a process that died is started again: at once, then after 0.5, 1, 2 … 30 s until it holds for 30 s."""

    def __init__(self) -> None:
        self.count = 0
        self.started = time.monotonic()
        self.due: float | None = None

    def died(self, now: float) -> float:
        """Note a death; return the seconds until the next start."""
        if now - self.started > STEADY_SECONDS:
            self.count = 0
        pause = min(LONGEST_PAUSE_SECONDS, 0.25 * 2**self.count) if self.count else 0.0
        self.count += 1
        self.due = now + pause
        return pause


class Supervisor:
    """The stack of one project, from its start to its end.

    `watch` is called at every turn of the loop: `up` shows the new lines of the logs there.
    """

    def __init__(self, project: Project, watch: Callable[[], None] = lambda: None) -> None:
        self.project = project
        self.watch = watch
        self.programs: list[Server] = []
        self.servers: list[Server] = []
        self.restarts: dict[str, Restarts] = {}
        self.state = State(project.places)
        self.stopping = False

    def run(self) -> int:
        """Start everything, keep it running until SIGTERM or SIGINT, stop everything; return the exit status."""
        self.project.places.create()
        os.umask(0o077)  # all files of our processes are readable by their owner alone
        with held(self.project.places):
            self._log_to_file()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._stop)
            try:
                self._start()
                self._keep()
            except StackError as error:
                log.error("%s", error)
                self.state.failed(str(error))
                return 1
            finally:
                self._end()
            return 0

    def _stop(self, number: int, _frame: object) -> None:
        if self.stopping:
            return
        self.stopping = True
        log.info("%s: stopping", signal.Signals(number).name)

    def _log_to_file(self) -> None:
        path = self.project.places.logs / "supervisor.log"
        logs.opened(path).close()
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)

    def _start(self) -> None:
        self.state.write("starting", [])
        left = leftovers.end(self.project.places)
        if left:
            log.info("ended %s processes that an earlier run left behind", left)
        self.project.check_port()
        self.servers = self.project.servers
        start_all(self.servers)
        self._note("starting")
        self._prepare_database()
        if self.stopping:
            return
        self.programs = list(programs(self.project))
        for program in self.programs:
            program.launch()
            self._wait_until_listening(program)
        self._note("running")

    def _wait_until_listening(self, program: Server) -> None:
        """Let the web server, which has an address, load alone: on few cores the others would only slow it."""
        deadline = time.monotonic() + HEAD_START_SECONDS
        while program.address and program.is_running() and not self.stopping and time.monotonic() < deadline:
            if self.project.listens():
                break
            self.watch()
            time.sleep(TICK_SECONDS / 2)

    def _prepare_database(self) -> None:
        """Migrate and seed in a process of its own: the supervisor stays small."""
        done = subprocess.run(
            [sys.executable, "-m", "catalog.cli", "prepare"],
            cwd=self.project.root,
            env={**self.project.environment, **leftovers.mark(self.project.places)} | NO_STATEMENT_TIMEOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode and not self.stopping:
            raise StackError(f"The database could not be prepared:\n{done.stdout}")

    def _keep(self) -> None:
        turn = 0
        while not self.stopping:
            for server in (*self.servers, *self.programs):
                self._revive(server)
            turn += 1
            if turn % 600 == 0:
                logs.rotate(self.project.places)
            self.watch()
            time.sleep(TICK_SECONDS)

    def _revive(self, server: Server) -> None:
        if server.is_running():
            return
        restarts = self.restarts.setdefault(server.name, Restarts())
        if restarts.due is None:
            ended = server.process.returncode if server.process else None
            pause = restarts.died(time.monotonic())
            log.warning("%s ended (%s); starting it again in %.1f s", server.name, ended, pause)
            self._note("running")
        if restarts.due is not None and time.monotonic() >= restarts.due:
            self._start_again(server, restarts)

    def _start_again(self, server: Server, restarts: Restarts) -> None:
        restarts.due = None
        restarts.started = time.monotonic()
        try:
            server.launch()
        except (StackError, OSError) as error:
            log.error("%s could not be started: %s", server.name, error)
        self._note("running")

    def _note(self, phase: str) -> None:
        counts = {name: restarts.count for name, restarts in self.restarts.items()}
        try:
            self.state.write(phase, [*self.servers, *self.programs], counts)
        except OSError as error:  # a full disk must not end the service
            log.warning("Could not write the state of the processes: error=%s", error)

    def _end(self) -> None:
        """Stop the programs, then the servers they need; then whatever a killed program left."""
        stop_all(self.programs, PROGRAMS_GRACE_SECONDS)
        stop_all(self.servers, SERVERS_GRACE_SECONDS)
        leftovers.end(self.project.places, 0.3)
        self.watch()
        self.state.stopped()
        log.info("stopped")
