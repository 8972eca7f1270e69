"""The table of users. Their passwords are nowhere."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, Index, String, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from catalog.extensions import Base

NAME_MAX = 100


class User(Base):
    """A person; `password_hash` is argon2's, with its salt and its parameters.

    A session that began before `sessions_valid_from` is over. A disabled user is kept, as what was done is told
    under the id.
    """

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    password_hash: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sessions_valid_from: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    last_sign_in_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())

    __table_args__ = (
        CheckConstraint("btrim(name) = name AND name <> ''", name="name"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
        Index("uq_users_name", func.lower(name), unique=True),
    )
    __mapper_args__ = {"eager_defaults": True}

    @property
    def is_disabled(self) -> bool:
        """Whether the user may not sign in."""
        return self.disabled_at is not None
