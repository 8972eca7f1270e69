"""The tables of webhooks. There are no foreign keys between them, on purpose.

Deliveries and attempts are written by the thousand, and each key would lock the webhook's row against the sender,
which counts there. A webhook that is deleted leaves rows behind that nobody sees; the pruning sweep removes them.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from catalog.extensions import Base
from catalog.webhooks import secret_headers

TIME = DateTime(timezone=True)
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


class Webhook(Base):
    """A subscription. `failing_since` is set by the first failure after a success, and cleared by a success.

    `secret`, `previous_secret` and the values of `secret_headers` are encrypted.
    """

    __tablename__ = "webhooks"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    description: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    secret_headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_until: Mapped[datetime | None] = mapped_column(TIME)
    retry_count: Mapped[int] = mapped_column(SmallInteger, server_default=text("3"))
    durable: Mapped[bool] = mapped_column(server_default=text("true"))
    timeout_seconds: Mapped[int] = mapped_column(SmallInteger, server_default=text("30"))
    created_by: Mapped[str | None] = mapped_column(Text)  # a caller's id; NULL before migration 0015
    last_triggered_at: Mapped[datetime | None] = mapped_column(TIME)
    last_error: Mapped[str | None] = mapped_column(Text)
    failing_since: Mapped[datetime | None] = mapped_column(TIME)
    success_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    failure_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())

    __mapper_args__ = {"eager_defaults": True}

    @property
    def has_secret(self) -> bool:
        """Tell whether deliveries are signed; the secret itself is never shown."""
        return self.secret is not None

    @property
    def shown_headers(self) -> dict[str, str]:
        """All headers, the secret ones masked."""
        return secret_headers.shown(self.headers, self.secret_headers)


_CHECKS = {
    "events": "cardinality(events) > 0",
    "retry_count": "retry_count BETWEEN 0 AND 10",
    "timeout_seconds": "timeout_seconds BETWEEN 1 AND 60",
}
for _name, _rule in _CHECKS.items():
    Webhook.__table__.append_constraint(CheckConstraint(_rule, name=_name))  # type: ignore[attr-defined]


class Event(Base):
    """Something that happened. `data` is kept as the very text that is sent and signed; a test is told to one only."""

    __tablename__ = "webhook_events"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    name: Mapped[str] = mapped_column(String(50))
    data: Mapped[Any] = mapped_column(JSON)
    is_test: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())


class Delivery(Base):
    """An event on its way to one webhook. While `lease_until` lies ahead, the sender with the token attempts it."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    webhook_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    event_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    status: Mapped[str] = mapped_column(String(10), server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    queued_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    due_at: Mapped[datetime | None] = mapped_column(TIME, server_default=func.now())
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None] = mapped_column(TIME)
    finished_at: Mapped[datetime | None] = mapped_column(TIME)
    event: Mapped[str | None] = query_expression()  # its event's name, where a query asks for it
    url: Mapped[str | None] = query_expression()  # and its webhook's

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        Index("uq_webhook_deliveries_webhook_id_event_id", "webhook_id", "event_id", unique=True),
        Index("ix_webhook_deliveries_due", "webhook_id", "due_at", postgresql_where=text("status = 'pending'")),
    )


class Attempt(Base):
    """One request that was made, and how it ended: the log."""

    __tablename__ = "webhook_attempts"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    webhook_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    delivery_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    event_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    event: Mapped[str] = mapped_column(String(50))
    attempt: Mapped[int] = mapped_column(Integer)
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
    response_body: Mapped[str | None] = mapped_column(Text)
    response_time_ms: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    payload: Mapped[Any] = query_expression()  # its event's data, where a query asks for it

    __table_args__ = (Index("ix_webhook_attempts_webhook_id_id", "webhook_id", "id"),)


class Replay(Base):
    """A request to send past events again; `cursor` is the last event that was queued, so a killed job goes on."""

    __tablename__ = "webhook_replays"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    webhook_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    since: Mapped[datetime | None] = mapped_column(TIME)
    until: Mapped[datetime] = mapped_column(TIME)
    status: Mapped[str | None] = mapped_column(String(10))
    event: Mapped[str | None] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(10), server_default=text("'pending'"))
    cursor: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    queued: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(TIME, server_default=func.now())

    __table_args__ = (CheckConstraint("state IN ('pending', 'completed')", name="state"),)
