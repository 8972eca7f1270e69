"""Orders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("customer", sa.String(255), nullable=False),
        sa.Column("items", postgresql.JSONB, nullable=False),
        sa.Column("submitted_at", TIME, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("total", sa.Numeric(15, 4)),
        sa.Column("error", sa.Text),
        sa.Column("attempts", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", TIME, server_default=sa.func.now()),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("queued_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("processed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        *_checks(),
    )
    op.create_index("uq_orders_number", "orders", ["number"], unique=True)
    op.create_index("ix_orders_customer", "orders", [sa.text('lower(customer) COLLATE "C"'), "number"])
    op.create_index(
        "ix_orders_unprocessed", "orders", ["status", "number"], postgresql_where=sa.text("status <> 'processed'")
    )
    op.create_index("ix_orders_due", "orders", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
    # Every order is updated twice at least: early vacuums.
    op.execute("ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02)")


def _checks():
    rules = {
        "id": "id > 0",
        "customer": "btrim(customer) <> ''",
        "items": "jsonb_typeof(items) = 'array' AND jsonb_array_length(items) BETWEEN 1 AND 200",
        "hash": "length(hash) = 64",
        "status": "status IN ('queued', 'processing', 'processed', 'failed')",
        "total": "total >= 0",
        "processed": (
            "(status = 'processed') = (total IS NOT NULL) AND (status = 'processed') = (processed_at IS NOT NULL)"
        ),
        "lease": "(status = 'processing') = (lease_token IS NOT NULL)",
        "due_at": "(status IN ('queued', 'processing')) = (due_at IS NOT NULL)",
    }
    return [sa.CheckConstraint(rule, name=name) for name, rule in rules.items()]


def downgrade():
    op.drop_table("orders")
