"""Starts, stops and asks a supervisor that runs in the background."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from catalog.stack import leftovers, logs
from catalog.stack.embedded import start_all, stop_all
from catalog.stack.errors import StackError
from catalog.stack.project import Project
from catalog.stack.server import tail
from catalog.stack.state import State, holder

READY_SECONDS = 90
STOP_SECONDS = 10
HOPELESS_RESTARTS = 3


def is_running(project: Project) -> bool:
    """Whether a supervisor runs for this project."""
    return holder(project.places) is not None


def start(project: Project) -> float:
    """Start the supervisor in the background and wait until the service is ready; return the seconds it took.

    StackError with the reason and the last log lines if it is not; then nothing is left running.
    """
    began = time.monotonic()
    State(project.places).path.unlink(missing_ok=True)
    supervisor = _launch(project)
    try:
        while not _is_up(project):
            _check_progress(project, supervisor, began)
            time.sleep(0.05)
    except StackError:
        stop(project)
        raise
    return time.monotonic() - began


def _launch(project: Project) -> "subprocess.Popen[bytes]":
    project.places.create()
    with logs.opened(project.places.logs / "supervisor.log") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "catalog.cli", "supervise"],
            cwd=project.root,
            env=project.outer_environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _is_up(project: Project) -> bool:
    return State(project.places).read().get("phase") == "running" and answers_ready(project)


def _check_progress(project: Project, supervisor: "subprocess.Popen[bytes]", began: float) -> None:
    state = State(project.places).read()
    if supervisor.poll() is not None:
        reason = state.get("reason") or f"The end of the log:\n{tail(project.places.logs / 'supervisor.log')}"
        raise StackError(f"It could not start. {reason}")
    for process in state.get("processes", []):
        if process["restarts"] >= HOPELESS_RESTARTS:
            raise StackError(f"{process['name']} ends again and again.{_last_lines(project, process['name'])}")
    if time.monotonic() - began > READY_SECONDS:
        raise StackError(f"Not ready after {READY_SECONDS} s.{_last_lines(project, 'web')}")


def _last_lines(project: Project, name: str) -> str:
    log = project.places.logs / f"{name}.log"
    return f" The end of {log}:\n{tail(log)}"


def answers_ready(project: Project) -> bool:
    """Whether `GET /health/ready` answers 200."""
    connection = http.client.HTTPConnection(*project.address, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(project: Project) -> bool:
    """Stop the supervisor and all it runs, then what a killed one left; return whether there was anything."""
    pid = holder(project.places)
    if pid:
        _signal(pid, signal.SIGTERM)
        if not _wait_stopped(project, STOP_SECONDS):
            _signal(pid, signal.SIGKILL)
            _wait_stopped(project, STOP_SECONDS)
    return bool(leftovers.end(project.places)) or pid is not None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise StackError(f"It was started by another user (pid {pid}): stop it as that user.") from error


def _wait_stopped(project: Project, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(project):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def servers_up(project: Project) -> Iterator[None]:
    """Provide the project's servers for one command; start and stop them if they do not run."""
    if is_running(project):
        yield
        return
    project.places.create()
    leftovers.end(project.places)
    servers = project.servers
    start_all(servers)
    try:
        yield
    finally:
        stop_all(servers, 10)
