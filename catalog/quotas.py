"""Quotas: the number of rows that one caller may own. The command line has none."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog.errors import QuotaExceeded

UNBOUNDED = "system"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:table || ' ' || :creator, 0))")


def check_number(session: Session, table: str, creator: str, most: int) -> None:
    """Raise QuotaExceeded where a caller has `most` rows of a table, by its column `created_by`.

    Concurrent calls for the same caller wait until the transaction ends, so that they do not exceed the quota together.
    """
    if creator == UNBOUNDED:
        return
    session.execute(_LOCK, {"table": table, "creator": creator})
    number = session.scalar(text(f"SELECT count(*) FROM {table} WHERE created_by = :creator"), {"creator": creator})
    if (number or 0) >= most:
        raise QuotaExceeded(f"This key or user has {number} {table} already, and may have {most}. Delete some first.")
