"""The table of tasks; every rule on a column is a constraint too."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Integer, String, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

PENDING, IN_PROGRESS, COMPLETED, CANCELLED = "PENDING", "IN_PROGRESS", "COMPLETED", "CANCELLED"
STATUSES = (PENDING, IN_PROGRESS, COMPLETED, CANCELLED)
DESCRIPTION_MAX = 10_000


class Task(Base):
    """Something to be done. `id` is made by the database, in the order of creation; `version` counts the changes.

    A product that is deleted is let go of by the foreign key; a trigger of the migration counts that as a change.
    """

    __tablename__ = "tasks"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'PENDING'"))
    product_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        CheckConstraint("btrim(title) <> ''", name="title"),
        CheckConstraint(f"length(description) <= {DESCRIPTION_MAX}", name="description"),
        CheckConstraint("status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED')", name="status"),
        CheckConstraint("version > 0", name="version"),
        Index("ix_tasks_status_id", "status", "id"),
        Index("ix_tasks_product_id_id", "product_id", "id"),
        Index("ix_tasks_due_at", "due_at"),
    )
    __mapper_args__ = {"eager_defaults": True}
