"""Background work on imports."""

import uuid

from catalog.imports import service
from catalog.jobqueue import in_app_context


@in_app_context
def run(import_id: str) -> None:
    """Run an import; safe to run twice, also at the same time: the lease lets one through."""
    service.run(uuid.UUID(import_id))
