"""The database made ready: its migrations and its sample products."""

import os
import subprocess
import sys
import time

import click

PAUSE_SECONDS = 0.5
MIGRATION_LOCK = 0x6D696772  # "migr": the advisory lock of whoever migrates
LOCK_TRIES = 100
LOCK_PAUSE_SECONDS = 1.0  # in which those go on who have waited behind a migration


@click.command("init-db")
@click.option("--count", default=20, show_default=True, help="How many sample products.")
def init_db(count: int) -> None:
    """Add 20 sample products; those that are there already are left as they are."""
    from catalog.stack import control
    from catalog.stack.project import Project

    project = Project()
    with control.servers_up(project):
        os.environ.update(project.environment)
        from wsgi import app

        if app.config["CATALOG_ENV"] == "production":
            raise click.ClickException("Sample products are for development; this is CATALOG_ENV=production.")
        with app.app_context():
            migrate()
            from catalog.products import seeds

            click.echo(f"{seeds.seed(count)} sample products added.")


def prepare() -> None:
    """Bring the database to the newest migration; seed it if it is empty, for development, and SEED_ON_START."""
    from catalog.app import create_app

    app = create_app(routes=False)
    with app.app_context():
        migrate()
        if app.config["CATALOG_ENV"] == "development" and app.config["SEED_ON_START"]:
            from catalog.products import seeds

            seeds.seed_if_empty()


def migrate() -> None:
    """Upgrade under an advisory lock: of several that start at once one migrates, the others wait for it.

    Raises StackError where a restore was cut off.
    """
    from sqlalchemy import text

    from catalog import restoring
    from catalog.database import take_advisory_lock
    from catalog.extensions import db

    restoring.check_not_cut_off()

    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take_advisory_lock(connection, MIGRATION_LOCK)
        try:
            _upgrade()
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})


def _upgrade() -> None:
    """Try again while others hold what a migration needs; those that are in stay in."""
    from flask_migrate import upgrade
    from psycopg2.errors import LockNotAvailable
    from sqlalchemy.exc import OperationalError

    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            upgrade()
            return
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not tries_left:
                raise
            click.echo("A table is in use; trying again.", err=True)
            time.sleep(LOCK_PAUSE_SECONDS)


def await_migration(seconds: float) -> bool:
    """Wait until the database is at this code's newest migration or a later one; tell whether it is in time."""
    from sqlalchemy.exc import SQLAlchemyError

    from catalog.app import create_app

    app, deadline = create_app(routes=False), time.monotonic() + seconds
    with app.app_context():
        while time.monotonic() < deadline:
            try:
                if _is_migrated():
                    return True
            except SQLAlchemyError as error:
                app.logger.info("The database does not answer yet: %s", error)
            time.sleep(PAUSE_SECONDS)
    return False


def _is_migrated() -> bool:
    """Tell so by the revision that the database names: one that this code does not know is a later version's."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from flask import current_app

    from catalog.extensions import db

    scripts = ScriptDirectory.from_config(current_app.extensions["migrate"].migrate.get_config())
    with db.engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    return revision is not None and (revision == scripts.get_current_head() or revision not in known)


def run_flask(arguments: list[str]) -> int:
    """Run a `flask` command against this project's database, started for it if need be; return its exit status."""
    from catalog.stack import control
    from catalog.stack.project import Project

    project = Project()
    with control.servers_up(project):
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        environment = {"DATABASE_STATEMENT_TIMEOUT_SECONDS": "86400", **project.environment}
        return subprocess.run(command, env=environment, cwd=project.root, check=False).returncode
