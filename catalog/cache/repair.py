"""The sweep: what a writer could not make the cache forget, or may have died before it did."""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from catalog.cache.models import FENCED, OUTAGE
from catalog.cache.writes import Writer

log = logging.getLogger(__name__)

BATCH = 1_000

_LEFT = text(
    "SELECT id, names, fence, state FROM cache_invalidations"
    " WHERE state <> 'fenced' OR created_at < clock_timestamp() - interval '2 seconds'"
    " ORDER BY state = 'outage' DESC, id LIMIT :batch"
)
# A row that has meanwhile come to stand for the whole cache may by now stand for writes that nobody has cleared.
_DELETE = text("DELETE FROM cache_invalidations WHERE id = ANY(:ids) AND (state <> 'outage' OR :everything)")


def repair(writer: Writer, engine: Engine) -> int:
    """Carry out what the rows say, then delete them; return how many. Without Redis they stay.

    Clearing once too often costs a miss and nothing else, so nobody needs to know whether the writer of a
    fenced row did it. Only when the rows are gone does anyone trust the cache again.
    """
    repaired = 0
    while batch := _repair_batch(writer, engine):
        repaired += batch
        if batch < BATCH:
            break
    return repaired


def _repair_batch(writer: Writer, engine: Engine) -> int:
    with engine.begin() as connection:
        rows = connection.execute(_LEFT, {"batch": BATCH}).all()
    everything = any(row.state == OUTAGE for row in rows)
    if not rows or not _cleared(writer, rows, everything):
        return 0
    with engine.begin() as connection:
        connection.execute(_DELETE, {"ids": [row.id for row in rows], "everything": everything})
    lost = sum(row.state != FENCED for row in rows)
    if lost:
        log.warning("The cache is back; %s invalidations were made up for", lost)
    return len(rows)


def _cleared(writer: Writer, rows: Sequence[Any], everything: bool) -> bool:
    pairs = [(name, row.fence) for row in rows for name in row.names]
    cleared = writer.clear([name for name, _ in pairs], [fence for _, fence in pairs])
    return cleared and (writer.forget_everything() if everything else True)
