"""Process or consume orders in a process that kills itself: python -m tests.orders.killed WHAT WHERE NTH.

WHAT is `process` or `consume`; WHERE is a dotted name below catalog.orders; the process ends by SIGKILL instead of its
NTH call.
"""

import os
import signal
import sys
from importlib import import_module
from typing import Any

from catalog.app import create_app
from catalog.orders import consumer, processing, service


def kill_at(where: str, nth: int) -> None:
    """Replace a function or method by one that kills the process at its nth call."""
    module, *path, name = where.split(".")
    owner: Any = import_module(f"catalog.orders.{module}")
    for part in path:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), []

    def replaced(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, classmethod(lambda cls: replaced()) if where.endswith("claim") else replaced)


if __name__ == "__main__":
    what, where, nth = sys.argv[1:]
    processing.BATCH = consumer.BATCH = 7
    kill_at(where, int(nth))
    app = create_app()
    if what == "consume":
        consumer.run(app)
    with app.app_context():
        service.process()
