"""Imports, their applied chunks and their rejected rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    _create_imports()
    op.create_index("ix_imports_created_at", "imports", ["created_at"])
    _create_import_chunks()
    _create_import_errors()


def _counter(name):
    return sa.Column(name, sa.Integer, server_default=sa.text("0"), nullable=False)


def _create_imports():
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("options", JSONB, nullable=False),
        sa.Column("header", JSONB, nullable=False),
        sa.Column("ignored_columns", JSONB, nullable=False),
        sa.Column("encoding", sa.String(20)),
        sa.Column("state", sa.String(20), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("error", sa.Text),
        _counter("percent"),
        _counter("total_rows"),
        sa.Column("staged_rows", sa.Integer),
        *(_counter(name) for name in ("created", "updated", "unchanged", "superseded", "rejected")),
        sa.Column("superseded_details", JSONB, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("cancel_requested", sa.Boolean, server_default=sa.text("false"), nullable=False),
        _counter("attempts"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("rung_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.CheckConstraint("state IN ('pending', 'running', 'completed', 'failed', 'cancelled')", name="state"),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    )


def _create_import_chunks():
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("created", "updated", "unchanged", "rejected")),
        sa.Column("committed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number", name="pk_import_chunks"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="fk_import_chunks_import_id", ondelete="CASCADE"),
    )


def _create_import_errors():
    op.create_table(
        "import_errors",
        sa.Column("import_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "line", name="pk_import_errors"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="fk_import_errors_import_id", ondelete="CASCADE"),
    )


def downgrade():
    op.drop_table("import_errors")
    op.drop_table("import_chunks")
    op.drop_table("imports")
