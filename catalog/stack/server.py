"""One child process that can be started, stopped, killed and started again."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from catalog.stack import logs
from catalog.stack.errors import StackError

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Server:
    """A process with a log file. Subclasses say how it is prepared, what is run, and when it is ready.

    Not for threads: on Linux a child ends with the very thread that started it, so start them from the main one.
    """

    name: str
    log: Path
    folder: Path
    stop_signal = signal.SIGTERM
    last_signal = signal.SIGKILL
    account: pwd.struct_passwd | None = None
    address = ""
    version = ""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make what the process needs before it starts."""

    def command(self) -> list[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return the whole environment of the process."""
        return os.environ

    def is_ready(self) -> bool:
        """Whether the running process does its work."""
        return self.is_running()

    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process is not None and self.is_running() else None

    def launch(self) -> None:
        """Start the process without waiting for it to be ready."""
        if self.is_running():
            return
        self.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with logs.opened(self.log) as log:
            self.process = self._spawn(log.fileno())

    def _spawn(self, log: int) -> "subprocess.Popen[bytes]":
        account = self.account
        with warnings.catch_warnings():
            # Python 3.12 warns of forking with threads; `_end_with_parent` only makes two system calls
            warnings.simplefilter("ignore", DeprecationWarning)
            return subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=partial(_end_with_parent, self.stop_signal, os.getpid()),  # noqa: PLW1509 - calls prctl, takes no lock
            )

    def start(self, seconds: float = 30) -> None:
        """Start the process and wait until it is ready; StackError with the end of its log if it is not."""
        self.launch()
        self.wait_ready(seconds)

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until the process does its work; StackError if it ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if not self.is_running():
                raise StackError(f"{self.name} ended at its start. The end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} is not ready after {seconds:.0f} s. {self.log}:\n{tail(self.log)}")
            time.sleep(0.02)

    def send(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.is_running() and self.process is not None:
            self.process.send_signal(number)

    def stop(self, seconds: float = 10) -> None:
        """End the process in its orderly way, and by force after `seconds`."""
        self.send(self.stop_signal)
        self.wait_ended(seconds)

    def wait_ended(self, seconds: float) -> None:
        """Wait for the end of a process that was told to stop; force it after `seconds`."""
        if self.process is None:
            return
        for force in (self.last_signal, signal.SIGKILL):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(max(seconds, 0.01))
                return
            self.send(force)
            seconds = 2
        self.process.wait()

    def kill(self) -> None:
        """Kill the process as a power cut would (SIGKILL), and wait until it is gone."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


def tail(log: Path, lines: int = 20) -> str:
    """Return the last `lines` lines of a file, indented; blank if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64_000))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])


def _end_with_parent(number: int, parent: int) -> None:
    """Have the kernel signal this child with `number` when its parent dies, even by `kill -9`."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
