"""The parts of the audit table, one for each month: made ahead, and dropped when they are old.

What comes when its month has none goes into the part `rest`, so that no write fails for want of one; the next sweep
makes the month and moves it there.
"""

import logging
from datetime import UTC, datetime

from flask import current_app
from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog.audit.models import AuditEntry, id_at
from catalog.database import transaction

log = logging.getLogger(__name__)

SCHEMA = "audit_parts"
REST = f"{SCHEMA}.rest"
AHEAD = 2  # months after this one
LOCK_TIMEOUT = "1s"  # a part that cannot be had now is made, or dropped, an hour later

Month = tuple[int, int]

_COLUMNS = ", ".join(AuditEntry.__table__.columns.keys())


def sweep() -> None:
    """Make the parts of this month, of the next ones and of what lies in `rest`; drop those that are too old."""
    now = datetime.now(UTC)
    this = now.year, now.month
    with transaction() as session:
        wanted = {later(this, number) for number in range(AHEAD + 1)} | _in_rest(session)
        missing = sorted(wanted - parts(session))
    for month in missing:
        _add(month)
    oldest = later(this, -int(current_app.config["AUDIT_RETENTION_MONTHS"]))
    with transaction() as session:
        old = sorted(month for month in parts(session) if month < oldest)
    for month in old:
        _drop(month)


def later(month: Month, months: int) -> Month:
    """Return the month so many months later, or earlier."""
    year, index = divmod(month[0] * 12 + month[1] - 1 + months, 12)
    return year, index + 1


def parts(session: Session) -> set[Month]:
    """Return the months that there are parts for."""
    names = session.scalars(
        text("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:schema) AND relname ~ '^m[0-9_]+$'"),
        {"schema": SCHEMA},
    )
    return {(int(name[1:5]), int(name[6:8])) for name in names}


def _in_rest(session: Session) -> set[Month]:
    found = session.scalars(
        text(f"SELECT DISTINCT date_trunc('month', uuid_extract_timestamp(id), 'UTC') AS month FROM {REST}")
    )
    return {(month.year, month.month) for month in found}


def _name(month: Month) -> str:
    return f"{SCHEMA}.m{month[0]:04}_{month[1]:02}"


def _add(month: Month) -> None:
    """Beside the table first, and attached when it is filled.

    Whoever writes meanwhile waits at the table: an entry that was on its way to `rest` would find it closed to it.
    """
    name = _name(month)
    first, end = (id_at(datetime(*start, 1, tzinfo=UTC)) for start in (month, later(month, 1)))
    with transaction() as session:
        session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        session.execute(text("LOCK TABLE ONLY audit_entries IN SHARE ROW EXCLUSIVE MODE"))
        session.execute(text(f"LOCK TABLE {REST} IN ACCESS EXCLUSIVE MODE"))
        session.execute(text(f"CREATE TABLE {name} (LIKE audit_entries INCLUDING DEFAULTS)"))
        session.execute(
            text(f"""
                WITH moved AS (DELETE FROM {REST} WHERE id >= :first AND id < :end RETURNING {_COLUMNS})
                INSERT INTO {name} ({_COLUMNS}) SELECT {_COLUMNS} FROM moved"""),
            {"first": first, "end": end},
        )
        session.execute(
            text(f"ALTER TABLE audit_entries ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')")
        )
    log.info("Audit entries of %d-%02d have a part of their own", *month)


def _drop(month: Month) -> None:
    with transaction() as session:
        session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        session.execute(text(f"DROP TABLE IF EXISTS {_name(month)}"))
    log.info("Audit entries of %d-%02d are dropped", *month)
