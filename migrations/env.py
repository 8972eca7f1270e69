"""Runs the migrations in an application context, over the application's own engine."""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from catalog.database import take_advisory_lock

# Two processes that migrate at once take turns: an advisory lock of PostgreSQL.
LOCK = 0x6D6967726174
# Whoever comes after a migration that waits for a table waits too: shorter than a request does, which gives up after
# DATABASE_LOCK_TIMEOUT_SECONDS. Who runs a migration tries again.
LOCK_TIMEOUT = "2s"

database = current_app.extensions["migrate"].db


def run_migrations() -> None:
    """Apply what is asked for, one transaction for each migration."""
    options = current_app.extensions["migrate"].configure_args
    with database.engine.connect() as connection:
        take_advisory_lock(connection, LOCK)
        try:
            _run(connection, options)
        finally:
            connection.rollback()
            connection.execute(text("RESET lock_timeout"))
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            connection.commit()


def _run(connection: Connection, options: dict[str, Any]) -> None:
    connection.execute(text("SELECT set_config('lock_timeout', :longest, false)"), {"longest": LOCK_TIMEOUT})
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        transaction_per_migration=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


run_migrations()
