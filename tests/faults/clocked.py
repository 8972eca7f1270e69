"""The clock process of a history."""

import os

from catalog import clock
from catalog.app import create_app
from tests.faults import variants

variants.apply(os.environ["VARIANT"])
clock.run(create_app())
