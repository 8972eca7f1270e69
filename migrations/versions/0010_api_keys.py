"""API keys: an id, and a keyed hash of the secret."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TEXTS = postgresql.ARRAY(sa.Text())


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
        sa.Column("previous_valid_until", TIME, nullable=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", TEXTS, nullable=False),
        sa.Column("networks", TEXTS, server_default="{}", nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.CheckConstraint("btrim(name) <> ''", name="ck_api_keys_name"),
        sa.CheckConstraint("cardinality(scopes) > 0", name="ck_api_keys_scopes"),
        sa.CheckConstraint("octet_length(digest) = 32", name="ck_api_keys_digest"),
        sa.CheckConstraint("(previous_digest IS NULL) = (previous_valid_until IS NULL)", name="ck_api_keys_previous"),
    )
    op.create_index("ix_api_keys_created_at", "api_keys", ["created_at", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("api_keys")
