"""The table of audit entries, partitioned by month; partitions.py makes and drops its parts."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Index, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

_BELOW_TIME = 80  # bits of a UUIDv7 below its milliseconds


def id_at(moment: datetime) -> uuid.UUID:
    """Return the least id that an entry of this moment, in milliseconds, can have."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return uuid.UUID(int=milliseconds << _BELOW_TIME)


class AuditEntry(Base):
    """One write. `id` is in the order of time, and holds it: what is old lies in the partitions of months gone by.

    `before` and `after` hold the fields that changed: of something new only `after`, of something gone only `before`.
    """

    __tablename__ = "audit_entries"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    actor_id: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    entity: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_audit_entries_entity", "entity", "entity_id", "id"),
        Index("ix_audit_entries_actor_id", "actor_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    @property
    def actor(self) -> dict[str, str]:
        """Who wrote: {"id", "name"}."""
        return {"id": self.actor_id, "name": self.actor_name}

    @property
    def at(self) -> datetime:
        """When it was written, to the millisecond; in SQL it is `uuid_extract_timestamp(id)`."""
        return datetime.fromtimestamp((self.id.int >> _BELOW_TIME) / 1000, UTC)
