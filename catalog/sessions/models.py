"""The table of sessions. Their tokens are nowhere."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, String, Text, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

AGENT_MAX = 200


class BrowserSession(Base):
    """A session of a user, or of a key with the digest of the secret that was shown; `digest` is its token's.

    `caller_id` and `name` are who signed in, as the audit has it. What is over is deleted.
    """

    __tablename__ = "sessions"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"))
    key_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    caller_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    agent: Mapped[str] = mapped_column(String(AGENT_MAX))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    last_seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint("(user_id IS NULL) <> (key_id IS NULL)", name="who"),
        CheckConstraint("(key_id IS NULL) = (key_digest IS NULL)", name="key_digest"),
        Index("ix_sessions_caller_id", "caller_id"),
        Index("ix_sessions_ends_at", "ends_at"),
        Index("ix_sessions_last_seen_at", "last_seen_at"),
    )
    __mapper_args__ = {"eager_defaults": True}
