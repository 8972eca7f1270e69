"""Quotas: how much one caller may have. The service itself, e.g. the command line, has none."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog.errors import QuotaExceeded

UNBOUNDED = "system"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:table || ' ' || :creator, 0))")


def check_number(session: Session, table: str, creator: str, most: int) -> None:
    """Raise QuotaExceeded where a caller has `most` rows of a table, by its column `created_by`.

    Others of the same caller wait until the transaction ends, so that two at once do not pass together.
    """
    if creator == UNBOUNDED:
        return
    session.execute(_LOCK, {"table": table, "creator": creator})
    number = session.scalar(text(f"SELECT count(*) FROM {table} WHERE created_by = :creator"), {"creator": creator})
    if (number or 0) >= most:
        raise QuotaExceeded(
            f"There are {number} {table} of this key already, and {most} are allowed. Delete some first."
        )
