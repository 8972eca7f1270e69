"""Webhooks: who created them, for shares of the sender and the number that one may have."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, NULL for existing webhooks: the table is not rewritten."""
    op.add_column("webhooks", sa.Column("created_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("webhooks", "created_by")
