"""Processes that are forked from one that has imported the application, and kill themselves at a chosen call."""

import inspect
import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

# The server starts with the first fork, and ends with the test process.
_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(["tests.preloaded"])


def fork(environment: dict[str, str], work: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Start `work(*arguments)` with these settings in a process of its own, and return that.

    `work` is found there by its module and name, so what a test replaced in its own process is not replaced there.
    """
    process = _fork_server.Process(target=_run, args=(environment, work, arguments))
    process.start()
    return process


def exit_code(process: BaseProcess, seconds: float = 60) -> int:
    """Wait for a process to end, and return its exit status, or minus the signal that killed it.

    Raises TimeoutError, and kills the process, when it runs longer.
    """
    process.join(seconds)
    code = process.exitcode
    if code is None:
        process.kill()
        raise TimeoutError(f"The process did not end within {seconds} s.")
    return code


def _run(environment: dict[str, str], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.update(environment)
    work(*arguments)


def kill_at(where: str, nth: int) -> None:
    """Replace a function or method by one that ends the process by SIGKILL instead of its nth call.

    `where` is a dotted name below catalog, e.g. `imports.loading.Loader.apply`.
    """
    path, _, name = f"catalog.{where}".rpartition(".")
    owner = pkgutil.resolve_name(path)
    real, calls = getattr(owner, name), []
    of_the_class = isinstance(inspect.getattr_static(owner, name), classmethod)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, staticmethod(replaced) if of_the_class else replaced)
