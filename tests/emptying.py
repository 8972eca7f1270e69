"""Emptying the tables after a test that commits.

TRUNCATE makes new files for every table and index that it names, so only those are named that have something to lose.
"""

from flask import Flask
from psycopg2.errors import DeadlockDetected
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from catalog.extensions import db

# Tables that others write to at this moment: their rows are seen once they are committed, which TRUNCATE waits for.
_WRITTEN = """
SELECT relname FROM pg_locks JOIN pg_class ON pg_class.oid = pg_locks.relation
WHERE mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# Tables whose numbers have begun, which a rollback does not undo.
_NUMBERED = """
SELECT owner.relname FROM pg_sequences
JOIN pg_class sequence ON sequence.relname = sequencename AND sequence.relnamespace = schemaname::regnamespace
JOIN pg_depend ON pg_depend.objid = sequence.oid AND deptype IN ('a', 'i')
JOIN pg_class owner ON owner.oid = refobjid
WHERE last_value IS NOT NULL
"""


def empty_tables(app: Flask) -> None:
    """Remove every row and restart every number, for fixtures that commit."""
    with app.app_context():
        db.session.remove()
        emptied = False
        while not emptied:
            emptied = _empty()


def _empty() -> bool:
    """Tell whether the tables are empty: processes that still run take their locks in another order."""
    try:
        with db.engine.begin() as connection:
            found = set(connection.scalars(text(_to_empty())))
            used = [table.name for table in db.metadata.sorted_tables if table.name in found]
            if used:
                connection.execute(text(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE"))
    except OperationalError as error:
        if not isinstance(error.orig, DeadlockDetected):
            raise
        return False
    return True


def _to_empty() -> str:
    names = [table.name for table in db.metadata.sorted_tables]
    filled = [f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names]
    return " UNION ALL ".join([*filled, _WRITTEN, _NUMBERED])
