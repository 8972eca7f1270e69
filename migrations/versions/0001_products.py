"""Products and bulk deletions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEARCH_DOCUMENT = (
    "to_tsvector('simple'::regconfig, name || ' ' || coalesce(description, '') || ' ' || coalesce(category, ''))"
)


def upgrade():
    _create_products()
    op.create_index("uq_products_sku", "products", [sa.text('(lower(sku) COLLATE "C")')], unique=True)
    op.create_index("ix_products_active_created_at", "products", ["active", sa.text("created_at DESC")])
    op.create_index("ix_products_name", "products", [sa.text('(lower(name) COLLATE "C")'), "id"])
    op.create_index("ix_products_price", "products", [sa.text("coalesce(price, 0)"), "id"])
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")
    _create_bulk_deletions()


def _create_products():
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("number", sa.Integer, sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.String(100), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("active", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("price", sa.Numeric(12, 2)),
        sa.Column("stock_quantity", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("category", sa.String(100)),
        sa.Column("image", sa.String(500)),
        sa.Column("rating_rate", sa.Numeric(3, 2)),
        sa.Column("rating_count", sa.Integer),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("search", TSVECTOR, sa.Computed(SEARCH_DOCUMENT, persisted=True)),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("number", name="uq_products_number"),
        sa.CheckConstraint("sku <> '' AND btrim(sku) = sku", name="sku"),
        sa.CheckConstraint("btrim(name) <> ''", name="name"),
        sa.CheckConstraint("price > 0 AND price < 'NaN'", name="price"),
        sa.CheckConstraint("stock_quantity >= 0", name="stock_quantity"),
        sa.CheckConstraint("rating_rate BETWEEN 0 AND 5", name="rating_rate"),
        sa.CheckConstraint("rating_count >= 0", name="rating_count"),
        sa.CheckConstraint("version > 0", name="version"),
    )


def _create_bulk_deletions():
    op.create_table(
        "bulk_deletions",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("state", sa.String(20), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_deletions"),
        sa.CheckConstraint("state IN ('pending', 'running', 'completed', 'failed')", name="state"),
    )


def downgrade():
    op.drop_table("bulk_deletions")
    op.drop_table("products")
