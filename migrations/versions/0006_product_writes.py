"""Queued writes of products."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "product_writes",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("number", sa.BigInteger, sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("fields", postgresql.JSONB, nullable=False),
        sa.Column("state", sa.String(20), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("attempts", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("code", sa.String(50)),
        sa.Column("error", sa.Text),
        sa.Column("errors", postgresql.JSONB),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_product_writes"),
        sa.CheckConstraint("kind IN ('create', 'update')", name="kind"),
        sa.CheckConstraint("state IN ('queued', 'done', 'failed')", name="state"),
    )
    op.create_index("ix_product_writes_state_number", "product_writes", ["state", "number"])
    op.create_index(
        "ix_product_writes_product_id_number",
        "product_writes",
        ["product_id", "number"],
        postgresql_where=sa.text("state = 'queued'"),
    )


def downgrade():
    op.drop_table("product_writes")
