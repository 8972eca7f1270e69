"""Webhooks: subscriptions, events, deliveries, attempts and replays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade():
    _create_webhooks()
    _create_events()
    _create_deliveries()
    _create_attempts()
    _create_replays()


def _id():
    return sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), nullable=False)


def _now(name):
    return sa.Column(name, TIME, server_default=sa.func.now(), nullable=False)


def _create_webhooks():
    op.create_table(
        "webhooks",
        _id(),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("is_active", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("headers", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("previous_secret", sa.LargeBinary),
        sa.Column("previous_secret_until", TIME),
        sa.Column("retry_count", sa.SmallInteger, server_default=sa.text("3"), nullable=False),
        sa.Column("durable", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("timeout_seconds", sa.SmallInteger, server_default=sa.text("30"), nullable=False),
        sa.Column("last_triggered_at", TIME),
        sa.Column("last_error", sa.Text),
        sa.Column("failing_since", TIME),
        sa.Column("success_count", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.Column("failure_count", sa.Integer, server_default=sa.text("0"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.CheckConstraint("cardinality(events) > 0", name="events"),
        sa.CheckConstraint("retry_count BETWEEN 0 AND 10", name="retry_count"),
        sa.CheckConstraint("timeout_seconds BETWEEN 1 AND 60", name="timeout_seconds"),
    )


def _create_events():
    op.create_table(
        "webhook_events",
        _id(),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("data", postgresql.JSON, nullable=False),
        sa.Column("is_test", sa.Boolean, server_default=sa.text("false"), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_events"),
    )


def _create_deliveries():
    op.create_table(
        "webhook_deliveries",
        _id(),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.String(10), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempts", sa.Integer, server_default=sa.text("0"), nullable=False),
        _now("queued_at"),
        sa.Column("due_at", TIME, server_default=sa.func.now()),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("lease_until", TIME),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    )
    op.create_index(
        "uq_webhook_deliveries_webhook_id_event_id", "webhook_deliveries", ["webhook_id", "event_id"], unique=True
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["webhook_id", "due_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    # Every delivery is updated twice at least: room on its page for the lease, and early vacuums.
    op.execute("ALTER TABLE webhook_deliveries SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)")


def _create_attempts():
    op.create_table(
        "webhook_attempts",
        _id(),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("delivery_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("event", sa.String(50), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status_code", sa.SmallInteger),
        sa.Column("response_body", sa.Text),
        sa.Column("response_time_ms", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_attempts"),
    )
    op.create_index("ix_webhook_attempts_webhook_id_id", "webhook_attempts", ["webhook_id", "id"])


def _create_replays():
    op.create_table(
        "webhook_replays",
        _id(),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("since", TIME),
        sa.Column("until", TIME, nullable=False),
        sa.Column("status", sa.String(10)),
        sa.Column("event", sa.String(50)),
        sa.Column("state", sa.String(10), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("cursor", sa.Uuid),
        sa.Column("queued", sa.Integer, server_default=sa.text("0"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_replays"),
        sa.CheckConstraint("state IN ('pending', 'completed')", name="state"),
    )


def downgrade():
    for table in ("replays", "attempts", "deliveries", "events"):
        op.drop_table(f"webhook_{table}")
    op.drop_table("webhooks")
