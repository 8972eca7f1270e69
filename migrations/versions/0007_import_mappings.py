"""Mappings of imports, kept under a name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "import_mappings",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("mapping", postgresql.JSON, nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_import_mappings"),
    )


def downgrade():
    op.drop_table("import_mappings")
