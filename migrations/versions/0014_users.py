"""Users with a password, and sessions of browsers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.func.clock_timestamp()
ID = sa.text("uuidv7()")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.Column("sessions_valid_from", TIME, server_default=NOW, nullable=False),
        sa.Column("last_sign_in_at", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.CheckConstraint("btrim(name) = name AND name <> ''", name="ck_users_name"),
        sa.CheckConstraint("cardinality(scopes) > 0", name="ck_users_scopes"),
    )
    op.create_index("uq_users_name", "users", [sa.text("lower(name)")], unique=True)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.String(12), nullable=True),
        sa.Column("key_digest", sa.LargeBinary(), nullable=True),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("last_seen_at", TIME, server_default=NOW, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_sessions_key_id", ondelete="CASCADE"),
        sa.CheckConstraint("octet_length(digest) = 32", name="ck_sessions_digest"),
        sa.CheckConstraint("(user_id IS NULL) <> (key_id IS NULL)", name="ck_sessions_who"),
        sa.CheckConstraint("(key_id IS NULL) = (key_digest IS NULL)", name="ck_sessions_key_digest"),
    )
    op.create_index("ix_sessions_caller_id", "sessions", ["caller_id"])
    op.create_index("ix_sessions_ends_at", "sessions", ["ends_at"])
    op.create_index("ix_sessions_last_seen_at", "sessions", ["last_seen_at"])


def downgrade() -> None:
    """Drop them: all users, and whoever is signed in."""
    op.drop_table("sessions")
    op.drop_table("users")
