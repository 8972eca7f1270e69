"""A migrated database in a moment: made once a session, then copied as files into each new PostgreSQL."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from catalog.stack import Embedded
from tests import forked

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def migrate(servers: Embedded) -> None:
    """Give new servers, before their first start, a database that has every table."""
    target = servers.postgres
    target.places.give(target.folder)
    subprocess.run(["cp", "-a", f"{_template().postgres.folder}/.", str(target.folder)], check=True)


def forget() -> None:
    """Delete the cluster that is copied, if it was made."""
    if _template.cache_info().currsize:
        servers = _template()
        servers.wipe()
        shutil.rmtree(servers.places.data)
        _template.cache_clear()


@functools.cache
def _template() -> Embedded:
    """Make the cluster that is copied, and stop it."""
    folder = Path(tempfile.mkdtemp(prefix="catalog-cluster-"))
    folder.chmod(0o711)  # PostgreSQL's account must get through to its data
    servers = Embedded(folder, postgres_settings=FAST)
    with servers:
        settings = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "DATA_DIR": str(folder)}
        settings |= {"CACHE_REDIS_URL": servers.cache_redis_url, "CATALOG_ENV_FILE": os.devnull}
        settings |= {"SEED_ON_START": "false"}
        forked.run(["catalog.cli", "prepare"], {**os.environ, **settings}).check_returncode()
    return servers
