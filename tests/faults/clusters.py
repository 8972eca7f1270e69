"""A migrated database in a moment: made once a session, then copied as files into each new PostgreSQL."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from catalog.config import ROOT
from catalog.stack import Embedded

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def migrate(servers: Embedded) -> None:
    """Give new servers, before their first start, a database that has every table."""
    target = servers.postgres
    target.places.give(target.folder)
    subprocess.run(["cp", "-a", f"{_template()}/.", str(target.folder)], check=True)


@functools.cache
def _template() -> Path:
    """Make the cluster that is copied; it is stopped, and deleted at the end of this process."""
    folder = Path(tempfile.mkdtemp(prefix="catalog-cluster-"))
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    servers = Embedded(folder, postgres_settings=FAST)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(servers.wipe)
    servers.start()
    _prepare(servers, folder)
    servers.stop()
    return servers.postgres.folder


def _prepare(servers: Embedded, folder: Path) -> None:
    settings = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "DATA_DIR": str(folder)}
    settings |= {"CACHE_REDIS_URL": servers.cache_redis_url, "CATALOG_ENV_FILE": os.devnull, "SEED_ON_START": "false"}
    command = [sys.executable, "-m", "catalog.cli", "prepare"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=True, capture_output=True)
