"""Dry runs of imports: what they found, when they were committed, and what had changed by then."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("imports", sa.Column("dry_run", postgresql.JSONB(), nullable=True))
    op.add_column("imports", sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("imports", sa.Column("changed_meanwhile", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("imports", "changed_meanwhile")
    op.drop_column("imports", "committed_at")
    op.drop_column("imports", "dry_run")
