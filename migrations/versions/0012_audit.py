"""Audit entries, partitioned by month; and who asked for what is done later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ASKED_FOR = ("product_writes", "bulk_deletions", "imports", "orders")


def upgrade():
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("before", postgresql.JSONB),
        sa.Column("after", postgresql.JSONB),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_audit_entries_entity", "audit_entries", ["entity", "entity_id", "id"])
    op.create_index("ix_audit_entries_actor_id", "audit_entries", ["actor_id", "id"])
    # The parts have a schema of their own, out of the way; the clock makes those of the months.
    op.execute("CREATE SCHEMA audit_parts")
    op.execute("CREATE TABLE audit_parts.rest PARTITION OF audit_entries DEFAULT")
    for table in ASKED_FOR:
        op.add_column(table, sa.Column("asked_by", postgresql.JSONB(), nullable=True))


def downgrade():
    for table in ASKED_FOR:
        op.drop_column(table, "asked_by")
    op.drop_table("audit_entries")  # and its parts with it
    op.execute("DROP SCHEMA audit_parts")
