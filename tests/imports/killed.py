"""Run an import as a worker does, in a process that kills itself: python -m tests.imports.killed ID WHERE NTH ROWS.

WHERE is a dotted name below catalog.imports; the process ends by SIGKILL instead of its NTH call. ROWS is
the size of a chunk.
"""

import sys
import uuid

from catalog.app import create_app
from catalog.imports import feed, loading, service
from tests.killing import kill_at

if __name__ == "__main__":
    import_id, where, nth, rows = sys.argv[1:]
    loading.CHUNK_ROWS = feed.ROWS_A_PART = int(rows)
    if where != "nowhere":
        kill_at("imports", where, int(nth))
    with create_app().app_context():
        service.run(uuid.UUID(import_id))
