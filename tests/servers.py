"""The servers that the tests run on: embedded ones of their own, or those that the settings name, as in a container.

Given ones keep what they hold: the tests make databases of their own there, and leave Redis' number 0 alone.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from catalog import config
from catalog.stack import Embedded

GIVEN = os.environ.get("CATALOG_TEST_SERVERS") == "given"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class Servers(Protocol):
    """What the tests need to know."""

    @property
    def database_url(self) -> str: ...
    @property
    def redis_url(self) -> str: ...
    @property
    def cache_redis_url(self) -> str: ...

    def wipe(self) -> None: ...


def start(folder: str) -> Servers:
    """Start embedded servers in `folder`, or take those that are given; with an empty database."""
    return Given() if GIVEN else Embedded(folder, postgres_settings=FAST).start()


def make_folder() -> str:
    """Return a new folder for a test run."""
    folder = tempfile.mkdtemp(prefix="catalog-tests-")
    Path(folder).chmod(0o755)  # so that PostgreSQL's own account reaches it where root runs the tests
    return folder


def remove_folder(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def numbered(url: str, number: int) -> str:
    """Return the URL of another database of the same Redis, over TCP or a socket."""
    numbered, found = re.subn(r"(db=|:\d+/)0$", rf"\g<1>{number}", url)
    assert found, f"{url} does not end with database 0"
    return numbered


class Given:
    """The servers of the settings; the migrated database that tests copy is named `catalog_tests`."""

    def __init__(self) -> None:
        settings = config.load()
        self.redis_url: str = settings["REDIS_URL"]
        self.cache_redis_url: str = settings["CACHE_REDIS_URL"]
        self._admin = create_engine(settings["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        self._execute("DROP DATABASE IF EXISTS catalog_tests WITH (FORCE)", "CREATE DATABASE catalog_tests")
        url = make_url(settings["DATABASE_URL"]).set(database="catalog_tests")
        self.database_url = url.render_as_string(hide_password=False)

    def wipe(self) -> None:
        """Drop what the tests copied."""
        self._execute("DROP DATABASE catalog_tests WITH (FORCE)")
        self._admin.dispose()

    def _execute(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
