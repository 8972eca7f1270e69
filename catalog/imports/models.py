"""The tables of imports: what was asked for and how far it is, the chunks that are applied, the refused rows."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Integer, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

MISFITS = ("exists", "not_found")  # the codes of rows that the mode refuses
ENDED = ("completed", "failed", "cancelled")
COUNTERS = ("created", "updated", "unchanged", "superseded", "rejected")


class Import(Base):
    """One import of one file. `lease_token` belongs to the one worker that may write, until `lease_until`."""

    __tablename__ = "imports"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    header: Mapped[list[str]] = mapped_column(JSONB)
    ignored_columns: Mapped[list[str]] = mapped_column(JSONB)
    encoding: Mapped[str | None] = mapped_column(String(20))

    state: Mapped[str] = mapped_column(String(20), server_default=text("'pending'"))
    error: Mapped[str | None] = mapped_column(Text)
    percent: Mapped[int] = mapped_column(server_default=text("0"))
    total_rows: Mapped[int] = mapped_column(server_default=text("0"))
    staged_rows: Mapped[int | None] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(server_default=text("0"))
    updated: Mapped[int] = mapped_column(server_default=text("0"))
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    superseded: Mapped[int] = mapped_column(server_default=text("0"))
    rejected: Mapped[int] = mapped_column(server_default=text("0"))
    superseded_details: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))

    # What a dry run found; when it was asked to be carried out; and what had changed by then.
    dry_run: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    committed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    changed_meanwhile: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lease_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    asked_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    rung_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("state IN ('pending', 'running', 'completed', 'failed', 'cancelled')", name="state"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        Index("ix_imports_created_at", "created_at"),
    )
    __mapper_args__ = {"eager_defaults": True}

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED

    @property
    def processed_rows(self) -> int:
        """How many rows have found their end: applied, unchanged, superseded or refused."""
        return sum(getattr(self, counter) for counter in COUNTERS)


def is_rehearsal(imported: Any) -> bool:
    """Tell whether an import, or its row, is a dry run that nobody has committed."""
    return bool(imported.options.get("dry_run")) and imported.committed_at is None


class ImportChunk(Base):
    """A chunk of an import that is applied: committed together with its rows, so never applied twice."""

    __tablename__ = "import_chunks"

    import_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    created: Mapped[int]
    updated: Mapped[int]
    unchanged: Mapped[int]
    rejected: Mapped[int]
    committed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RejectedRow(Base):
    """A row that was not imported, as it was. `data` is json, not jsonb, which could not hold a NUL."""

    __tablename__ = "import_errors"

    import_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    line: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    field: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[list[str]] = mapped_column(JSON)


class ImportMapping(Base):
    """A mapping that is kept under a name, to be used again."""

    __tablename__ = "import_mappings"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSON)  # json keeps the order of the columns
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
