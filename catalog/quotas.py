"""Quotas: how much one caller may have. The service itself, e.g. the command line, has none."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog.errors import QuotaExceeded

UNBOUNDED = "system"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:what || ' ' || :holder, 0))")


def lock(session: Session, what: str, holder: str) -> None:
    """Lock a quota of a caller until the transaction ends, so that concurrent calls do not exceed it together."""
    session.execute(_LOCK, {"what": what, "holder": holder})


def check_number(session: Session, table: str, creator: str, most: int, setting: str) -> None:
    """Lock a table's quota and raise QuotaExceeded where a caller has `most` rows, by its column `created_by`."""
    if creator == UNBOUNDED:
        return
    lock(session, table, creator)
    number = session.scalar(text(f"SELECT count(*) FROM {table} WHERE created_by = :creator"), {"creator": creator})
    if (number or 0) >= most:
        raise QuotaExceeded(
            f"This key or user has {number} {table} already, and may have {most} ({setting}). Delete some first."
        )
