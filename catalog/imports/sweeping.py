"""What the clock does for imports: it rings for those left behind, and clears away what is over."""

import logging
import uuid

from flask import current_app
from sqlalchemy import String, cast, delete, exists, func, or_, select, text, update

from catalog import jobqueue
from catalog.database import transaction
from catalog.imports import storage, telling
from catalog.imports.models import ENDED, Import

log = logging.getLogger(__name__)

JOB = "catalog.imports.jobs.run"
MAX_ATTEMPTS = 5
RING_AGAIN_SECONDS = 20
DRY_RUN_HOURS = 24  # how long what a dry run staged is kept

_LEFT = Import.state.in_(["pending", "running"]) & (
    func.coalesce(Import.lease_until, Import.created_at) < func.clock_timestamp()
)
# A dry run that may still be committed.
_WAITS = (
    (Import.state == "completed")
    & Import.dry_run.is_not(None)
    & Import.committed_at.is_(None)
    & (Import.finished_at > func.now() - text(f"interval '{DRY_RUN_HOURS} hours'"))
)


def sweep() -> None:
    """Ring again for imports whose worker is gone or never came, end hopeless ones, drop tables left over."""
    give_up()
    ring_again()
    drop_leftover_tables()


def give_up() -> None:
    """End imports that several attempts in a row have not moved: a sixth would not either."""
    with transaction() as session:
        hopeless = session.scalars(
            update(Import)
            .where(_LEFT, Import.attempts >= MAX_ATTEMPTS)
            .values(
                state="failed",
                error=f"{MAX_ATTEMPTS} attempts ended without getting any further; the log says how.",
                finished_at=func.clock_timestamp(),
                lease_token=None,
            )
            .returning(Import)
        ).all()
        for imported in hopeless:
            telling.ended(session, imported)
            log.error("Import %s is given up", imported.id)


def ring_again() -> None:
    """Ring for every import that has no worker, not more than once in twenty seconds."""
    quiet = func.clock_timestamp() - text(f"interval '{RING_AGAIN_SECONDS} seconds'")
    found = select(Import.id).where(_LEFT, Import.rung_at < quiet).with_for_update(skip_locked=True)
    with transaction() as session:
        rung = session.scalars(
            update(Import).where(Import.id.in_(found)).values(rung_at=func.clock_timestamp()).returning(Import.id)
        ).all()
        for import_id in rung:
            log.warning("Ringing again for import %s", import_id)
            jobqueue.enqueue(JOB, str(import_id), queue_name="imports")


def drop_leftover_tables() -> None:
    """Drop the tables of imports that are over: a worker that was given up could not."""
    with transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '1s'"))  # a worker may not know yet that it is over
        names = session.scalars(
            text(r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^import_[0-9a-f]{32}(_seen)?$'")
        ).all()
        for name in names:
            import_id = uuid.UUID(name.removeprefix("import_").removesuffix("_seen"))
            if not session.scalar(
                select(exists().where(Import.id == import_id, or_(Import.state.not_in(ENDED), _WAITS)))
            ):
                session.execute(text(f"DROP TABLE IF EXISTS {name}"))


def prune() -> None:
    """Remove the records and files of imports that ended RETENTION_DAYS ago, and files that belong to none."""
    days = current_app.config["RETENTION_DAYS"]
    with transaction() as session:
        gone = session.scalars(
            delete(Import)
            .where(Import.finished_at < func.now() - text(f"interval '{int(days)} days'"))
            .returning(Import.id)
        ).all()
    storage.remove(gone)
    _remove_strays()


def _remove_strays() -> None:
    for path in storage.strays():
        with transaction() as session:
            known = select(exists().where(cast(Import.id, String) == path.name))
            if not session.scalar(known):
                path.unlink(missing_ok=True)
