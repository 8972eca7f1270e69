"""What imports did hour by hour, and which go on: for those who look at all of them at once."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from catalog import pagination
from catalog.cache import cached
from catalog.extensions import db
from catalog.imports import ownership
from catalog.imports.models import Import

HOURS = 24
LONGEST = timedelta(hours=6)  # between an import's beginning and its last chunk
_TTL = 4.0
_LONG = (
    *(Import.options, Import.header, Import.ignored_columns),
    *(Import.superseded_details, Import.dry_run, Import.changed_meanwhile, Import.error),
)

_CHUNKS = text("""
    SELECT date_trunc('hour', committed_at, 'UTC') AS hour, sum(created)::int AS created,
        sum(updated)::int AS updated, sum(unchanged)::int AS unchanged, sum(rejected)::int AS rejected
    FROM import_chunks WHERE import_id >= :first AND committed_at >= :since GROUP BY 1
""")


def last_day(now: datetime | None = None) -> list[dict[str, Any]]:
    """Return the last 24 hours, the present one last: {"hour", "created", "updated", "unchanged", "rejected"}."""
    present = (now or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0)
    hours = [present - timedelta(hours=back) for back in reversed(range(HOURS))]
    found: dict[str, Any] = json.loads(_counted(hours[0].isoformat()).body)
    nothing = {"created": 0, "updated": 0, "unchanged": 0, "rejected": 0}
    return [{"hour": hour, **found.get(hour.isoformat(), nothing)} for hour in hours]


@cached("import-activity:{since}", ttl=_TTL)
def _counted(since: str) -> Any:
    start = datetime.fromisoformat(since)
    first = uuid.UUID(int=int((start - LONGEST).timestamp() * 1000) << 80)
    rows = db.session.execute(_CHUNKS, {"first": first, "since": start}).mappings()
    return {row["hour"].isoformat(): {name: row[name] for name in row if name != "hour"} for row in rows}


def going_on(limit: int = 20) -> list[Import]:
    """Return the caller's imports that wait or run, the latest first."""
    is_going_on = Import.state.in_(["pending", "running"])
    return newest(db.session(), select(Import).where(is_going_on, ownership.condition()), limit)


def latest(limit: int = 5) -> list[Import]:
    """Return the imports that the caller submitted last."""
    return newest(db.session(), select(Import).where(ownership.condition()), limit)


def newest(session: Session, statement: Select[Any], limit: int, *, may_cut: bool = True) -> list[Import]:
    """Return the imports of a statement, the latest first, as many as a page has. Raises PageTooLarge."""
    found = pagination.fetch(
        session,
        statement.order_by(Import.created_at.desc(), Import.id.desc()),
        _LONG,
        lambda columns: [columns.created_at.desc(), columns.id.desc()],
        limit,
        may_cut=may_cut,
    )
    return [row[0] for row in found.rows]
