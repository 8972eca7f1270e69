"""The application as gunicorn serves it in a history: with the delays, or broken."""

import os

from catalog.app import create_app
from tests.faults import variants

variants.apply(os.environ["VARIANT"])
app = create_app()
