"""The table of answers that are kept, to be given again to a request that is repeated."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Index, LargeBinary, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base


class IdempotencyRecord(Base):
    """The answer to a request, committed with its work. `id` is the SHA-256 of the caller, the path and the key.

    `fingerprint` is that of the request's content; `body` is encrypted where `is_sealed`.
    """

    __tablename__ = "idempotency_records"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    is_sealed: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_idempotency_records_created_at", "created_at"),)
