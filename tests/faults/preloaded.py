"""What the commands have in common, imported and made once before they are forked; no connection, no thread."""

import gc
import threading

import catalog.cli
import catalog.clock  # noqa: F401
from catalog.app import create_app

create_app()
assert threading.active_count() == 1
gc.collect()
gc.freeze()
