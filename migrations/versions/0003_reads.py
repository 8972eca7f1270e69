"""What reads need: invalidations of the cache, until it has certainly forgotten, and products by category."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "cache_invalidations",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("names", ARRAY(sa.Text), nullable=False),
        sa.Column("fence", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cache_invalidations"),
        sa.CheckConstraint("state IN ('fenced', 'lost', 'outage')", name="state"),
    )
    op.create_index(
        "ix_cache_invalidations_lost", "cache_invalidations", ["id"], postgresql_where=sa.text("state <> 'fenced'")
    )
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_products_category", "products", ["category", "id"], if_not_exists=True, postgresql_concurrently=True
        )


def downgrade():
    op.drop_index("ix_products_category", "products")
    op.drop_table("cache_invalidations")
