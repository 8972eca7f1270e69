"""A process that kills itself at a chosen call."""

import inspect
import os
import signal
from importlib import import_module
from typing import Any


def kill_at(feature: str, where: str, nth: int) -> None:
    """Replace a function or method by one that ends the process by SIGKILL instead of its nth call.

    `where` is a dotted name below catalog.`feature`, e.g. `loading.apply`.
    """
    module, *path, name = where.split(".")
    owner: Any = import_module(f"catalog.{feature}.{module}")
    for part in path:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), []
    of_the_class = isinstance(inspect.getattr_static(owner, name), classmethod)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, staticmethod(replaced) if of_the_class else replaced)
