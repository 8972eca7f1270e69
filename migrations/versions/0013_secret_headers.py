"""Webhooks: headers whose values are secrets stand apart, encrypted."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from catalog.webhooks import secret_headers

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CHANGE = sa.text("UPDATE webhooks SET headers = CAST(:headers AS jsonb) WHERE id = :id")
_SEAL = sa.text("UPDATE webhooks SET secret_headers = CAST(:secret AS jsonb) WHERE id = :id")


def upgrade() -> None:
    """Add the column, and encrypt what is in the clear: with ENCRYPTION_KEYS, as the service does."""
    op.add_column(
        "webhooks",
        sa.Column("secret_headers", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    for webhook in op.get_bind().execute(sa.text("SELECT id, headers FROM webhooks WHERE headers <> '{}'")).all():
        clear, secret = secret_headers.sealed(webhook.headers, {})
        _set(webhook.id, _CHANGE, headers=clear)
        _set(webhook.id, _SEAL, secret=secret)


def downgrade() -> None:
    """Put them back in the clear, and drop the column. Stops at a value that none of ENCRYPTION_KEYS opens."""
    found = sa.text("SELECT id, headers, secret_headers FROM webhooks WHERE secret_headers <> '{}'")
    for webhook in op.get_bind().execute(found).all():
        _set(webhook.id, _CHANGE, headers={**webhook.headers, **secret_headers.opened(webhook.secret_headers)})
    op.drop_column("webhooks", "secret_headers")


def _set(webhook_id, statement, **values):
    op.get_bind().execute(statement, {"id": webhook_id, **{name: json.dumps(value) for name, value in values.items()}})
