"""What gunicorn is told by gunicorn.conf.py, where no request shows it."""

import os
import subprocess
import sys

import pytest

from catalog.config import ROOT

LOADED = """
import gc, runpy, types, wsgi
runpy.run_path("gunicorn.conf.py")["when_ready"](types.SimpleNamespace(stop=None))
print(gc.get_freeze_count())
"""


@pytest.mark.processes
def test_the_loaded_application_is_kept_out_of_every_later_collection(environment):
    settings = {**os.environ, **environment, "CATALOG_ENV_FILE": os.devnull}
    told = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(told.stdout.split()[-1]) > 100_000
