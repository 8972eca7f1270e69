"""The service with other times than its own, for tests that would have to wait for the real ones.

    served(environment, times={"catalog.web.incoming.PATIENCE_SECONDS": 1.0})
    running({**environment, **timings.of({...})}, "-m", "tests.timings", "worker", "imports")

A time that is a promise is waited for in full by one test, which names no other.
"""

import json
import os
from importlib import import_module

Times = dict[str, float]

WSGI = "tests.timings:app"
_NAME = "CATALOG_TEST_TIMES"


def of(times: Times) -> dict[str, str]:
    """Return the environment of a process whose constants have these values, by dotted name."""
    return {_NAME: json.dumps(times)}


def _set() -> None:
    for name, seconds in json.loads(os.environ.get(_NAME, "{}")).items():
        module, _, constant = name.rpartition(".")
        owner = import_module(module)
        assert isinstance(getattr(owner, constant), int | float), f"{name} is no number"
        setattr(owner, constant, seconds)


if __name__ == "__main__":
    from catalog.cli import main

    _set()
    main()
elif "gunicorn" in os.environ.get("SERVER_SOFTWARE", ""):  # not where a test only wants the names
    _set()
    from wsgi import app  # noqa: F401
