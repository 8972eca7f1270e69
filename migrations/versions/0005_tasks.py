"""Tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("status", sa.String(20), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("product_id", sa.Uuid),
        sa.Column("due_at", TIME),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_tasks_product_id", ondelete="SET NULL"),
        sa.CheckConstraint("btrim(title) <> ''", name="title"),
        sa.CheckConstraint("length(description) <= 10000", name="description"),
        sa.CheckConstraint("status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED')", name="status"),
        sa.CheckConstraint("version > 0", name="version"),
    )
    op.create_index("ix_tasks_status_id", "tasks", ["status", "id"])
    op.create_index("ix_tasks_product_id_id", "tasks", ["product_id", "id"])
    op.create_index("ix_tasks_due_at", "tasks", ["due_at"])
    _count_a_lost_product_as_a_change()


def _count_a_lost_product_as_a_change():
    """Increment the version when the foreign key sets `product_id` to null."""
    op.execute(
        """
        CREATE FUNCTION tasks_lose_product() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.version := OLD.version + 1;
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER tasks_lose_product BEFORE UPDATE OF product_id ON tasks FOR EACH ROW
        WHEN (OLD.product_id IS NOT NULL AND NEW.product_id IS NULL AND NEW.version = OLD.version)
        EXECUTE FUNCTION tasks_lose_product()
        """
    )


def downgrade():
    op.drop_table("tasks")
    op.execute("DROP FUNCTION tasks_lose_product()")
