"""Post a product in a process that kills itself: python -m tests.idempotency.killed WHERE KEY.

WHERE is a dotted name below catalog; the process ends by SIGKILL instead of calling it.
"""

import os
import signal
import sys
from importlib import import_module

from catalog.app import create_app

LAMP = {"name": "Desk lamp", "price": 39.5}

if __name__ == "__main__":
    where, key = sys.argv[1:]
    module, _, name = where.rpartition(".")
    setattr(import_module(f"catalog.{module}"), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    create_app().test_client().post("/api/v1/products", json=LAMP, headers={"Idempotency-Key": key})
