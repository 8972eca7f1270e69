"""What forked processes have in common, imported once before they are forked: all of the application, and pytest.

No connection may be open here, and no thread may run; the children would share them.
"""

import gc
import threading

import pytest  # noqa: F401  # each child imports what the test process began with

import catalog.cli
import catalog.clock  # noqa: F401
from catalog.app import create_app

create_app()  # imports the features
assert threading.active_count() == 1
gc.collect()
gc.freeze()
