"""The project's commands, forked from a process that has imported the application: they start much sooner.

The forked process runs the command's module as `python -m` would, in a session, an environment and a log of its own.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from catalog.config import ROOT
from catalog.stack.server import _end_with_parent

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.preloaded"])


class Forked:
    """A running command, with the part of `subprocess.Popen` that `catalog.stack.server.Server` uses."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
        """Run `command`, a module and its arguments, in the project's folder; appends what it says to the files."""
        given = (list(command), dict(environment), str(output), str(errors))
        self._process = _forks.Process(target=_become, args=given, daemon=True)
        self._process.start()
        self.pid: int = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired("a forked command", timeout or 0)
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def end(self, seconds: float = 10) -> None:
        """Tell it to end, and force it after `seconds`."""
        self.send_signal(signal.SIGTERM)
        try:
            self.wait(seconds)
        except TimeoutExpired:
            self.kill()
            self.wait()

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and its exit status is on its way
                os.kill(self.pid, number)


@contextlib.contextmanager
def running(environment: Mapping[str, str], *command: str) -> Iterator[Forked]:
    """Run a command with these settings over the present ones, e.g. `catalog.cli clock`; end it afterwards."""
    with tempfile.NamedTemporaryFile(prefix="forked-") as log:
        process = Forked(command, {**os.environ, **environment}, Path(log.name), Path(log.name))
        try:
            yield process
        finally:
            process.end()
            sys.stderr.write(Path(log.name).read_text(errors="replace"))  # pytest shows it with a failure


def run(command: Sequence[str], environment: Mapping[str, str], seconds: float = 120) -> CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        status = Forked(command, environment, output, errors).wait(seconds)
        return CompletedProcess(command, status, output.read_text(), errors.read_text())


def _become(command: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    """Give this process what a new one has of its own, then run the module."""
    _end_with_parent(signal.SIGTERM, os.getppid())
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    _redirect(0, os.devnull, os.O_RDONLY)
    _redirect(1, output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    _redirect(2, errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sys.argv = list(command)
    sys.modules.pop(command[0], None)  # it runs anew, as __main__
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def _redirect(number: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)
