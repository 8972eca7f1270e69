"""A database that a backup replaces: what was there stands aside until that is in, and comes back if it is not."""

from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Connection, text

from catalog import jobqueue
from catalog.config import ROOT
from catalog.extensions import db
from catalog.stack.errors import StackError

_OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'catalog%'
""")
_TABLES = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
_ASIDE = "replaced_"
_SCHEMAS = text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'")
_BATCH = 1_000


def begin(force: bool) -> None:
    """Make room. Raises StackError if the service works on this database, or if it is not empty, without `force`."""
    with db.engine.begin() as connection:
        others = connection.scalar(_OTHERS)
        if others:
            raise StackError(
                f"{others} connections of the service are open to this database: stop it everywhere first."
            )
    undo()
    with db.engine.begin() as connection:
        tables = connection.scalar(_TABLES)
        if tables and not force:
            raise StackError(f"The database has {tables} tables; --force replaces all that they hold.")
        for schema in connection.scalars(_SCHEMAS).all():
            connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{_ASIDE}{schema}"'))
        connection.execute(text("CREATE SCHEMA public"))


def check_not_cut_off() -> None:
    """Raise StackError where a restore was killed: what there was stands aside, and nobody must write beside it."""
    with db.engine.connect() as connection:
        if _aside(connection):
            raise StackError(
                "A restore was cut off. Run it again: --force carries it out, without it what was there comes back."
            )


def undo() -> None:
    """Put back what was there, also what a restore that was killed has left aside."""
    with db.engine.begin() as connection:
        _put_back(connection)


def check() -> None:
    """Raise StackError if what was restored is no backup of this service, or one of newer code."""
    with db.engine.connect() as connection:
        is_ours = connection.scalar(text("SELECT to_regclass('public.alembic_version') IS NOT NULL"))
        version = connection.scalar(text("SELECT version_num FROM public.alembic_version")) if is_ours else None
    if version is None:
        raise StackError("This is no backup of a catalog.")
    if version not in {each.revision for each in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()}:
        raise StackError(f"The backup is of newer code: this code does not know migration {version}.")


def keep() -> None:
    """Let go of what was there."""
    with db.engine.begin() as connection:
        for schema in _aside(connection):
            connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))


def forget_copies() -> None:
    """Empty the cache, which knows of changes that the restored database does not."""
    cache = jobqueue.client(current_app.config["CACHE_REDIS_URL"])
    for key in cache.scan_iter(f"{current_app.config['CACHE_PREFIX']}:*", count=_BATCH):
        cache.unlink(key)


def _put_back(connection: Connection) -> None:
    aside = _aside(connection)
    for schema in connection.scalars(_SCHEMAS).all() if aside else ():
        if schema not in aside:
            connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
    for schema in aside:
        connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{schema.removeprefix(_ASIDE)}"'))


def _aside(connection: Connection) -> list[str]:
    return [schema for schema in connection.scalars(_SCHEMAS) if schema.startswith(_ASIDE)]
