"""An import as a worker runs it, in a process that kills itself."""

import uuid

from catalog.app import create_app
from catalog.imports import feed, loading, service
from tests.killing import kill_at


def run(import_id: uuid.UUID, chunk_rows: int, where: str | None = None, nth: int = 1) -> None:
    """Run an import in chunks of this size; the process ends by SIGKILL instead of the nth call of `where`."""
    loading.CHUNK_ROWS = feed.ROWS_A_PART = chunk_rows
    if where:
        kill_at(f"imports.{where}", nth)
    with create_app(routes=False).app_context():
        service.run(import_id)
