"""The table of API keys. The secrets themselves are nowhere."""

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, String, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

NAME_MAX = 100
NETWORKS_MAX = 50


class ApiKey(Base):
    """A key: `id` is its public part; `digest` is that of its secret, `previous_digest` that of the one before.

    A revoked key is kept, as what it did is told under its id.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    previous_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())

    __table_args__ = (
        CheckConstraint("btrim(name) <> ''", name="name"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("(previous_digest IS NULL) = (previous_valid_until IS NULL)", name="previous"),
        Index("ix_api_keys_created_at", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    @property
    def state(self) -> str:
        """How it is now: `revoked`, `expired` or `active`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "active"
