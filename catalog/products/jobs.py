"""Background work on products."""

import uuid

from catalog.jobqueue import in_app_context
from catalog.products import applying, bulk_delete


@in_app_context
def delete_all(deletion_id: str) -> None:
    """Carry out a bulk deletion; safe to run twice, also at the same time."""
    bulk_delete.run(uuid.UUID(deletion_id))


@in_app_context
def apply_writes() -> None:
    """Apply the queued writes; safe to run twice, also at the same time."""
    applying.drain()
