"""Run an import as a worker does, in a process that kills itself: python -m tests.imports.killed ID WHERE NTH ROWS.

WHERE is a dotted name below catalog.imports; the process ends by SIGKILL instead of its NTH call. ROWS is
the size of a chunk.
"""

import os
import signal
import sys
import uuid
from importlib import import_module
from typing import Any

from catalog.app import create_app
from catalog.imports import feed, loading, service


def kill_at(where: str, nth: int) -> None:
    """Replace a function or method by one that kills the process at its nth call."""
    module, *path, name = where.split(".")
    owner: Any = import_module(f"catalog.imports.{module}")
    for part in path:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), []

    def replaced(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, replaced)


if __name__ == "__main__":
    import_id, where, nth, rows = sys.argv[1:]
    loading.CHUNK_ROWS = feed.ROWS_A_PART = int(rows)
    if where != "nowhere":
        kill_at(where, int(nth))
    with create_app().app_context():
        service.run(uuid.UUID(import_id))
