"""The table of invalidations: one row for each write, until the cache has certainly forgotten."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

FENCED = "fenced"  # Redis holds the writer's fence; the row is there in case the writer dies before it clears
LOST = "lost"  # Redis did not take the fence: nobody trusts the cache until these names are cleared
OUTAGE = "outage"  # lost for longer than trust lasts: the whole cache is forgotten when it is back

STATES = (FENCED, LOST, OUTAGE)


class CacheInvalidation(Base):
    """What a committed write made wrong in the cache: `names` as given to invalidate(), `fence` its token."""

    __tablename__ = "cache_invalidations"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    fence: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())

    __table_args__ = (
        CheckConstraint("state IN ('fenced', 'lost', 'outage')", name="state"),
        Index("ix_cache_invalidations_lost", "id", postgresql_where=text("state <> 'fenced'")),
    )
