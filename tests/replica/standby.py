"""A streaming replica of an embedded PostgreSQL, as `pg_basebackup` makes it."""

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, text

from catalog.stack import programs
from catalog.stack.places import Places
from catalog.stack.postgres import Postgres


class Standby(Postgres):
    """It follows `primary`, which must run when it is first started."""

    name = "standby"

    def __init__(self, folder: Path, primary: Postgres) -> None:
        places = Places(folder)
        places.create()
        super().__init__(places, {**primary.settings, "hot_standby": "on"})
        self._primary = primary

    def _init(self) -> None:
        self.places.make(self.folder.parent)
        backup = programs.postgres_server().with_name("pg_basebackup")
        source = ("-h", str(self._primary.sockets), "-U", "postgres")
        command = [str(backup), *source, "-D", str(self.folder), "-R", "-c", "fast", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd="/")
        self._give_away()

    def _give_away(self) -> None:
        """Root made the copy; PostgreSQL's own account runs it."""
        if self.account is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def pause(self) -> None:
        """Replay nothing more: what is committed from now on is not seen here."""
        self.ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """Catch up."""
        self.ask("SELECT pg_wal_replay_resume()")

    def wipe(self) -> None:
        self.stop(mode="immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.places.wipe()

    def ask(self, statement: str) -> object:
        """Return the one value of a query."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                return connection.scalar(text(statement))
        finally:
            engine.dispose()
