"""A job in the words of the API, from what RQ knows of it and, where it stands for a row, from the row."""

import logging
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import redis
from rq.job import Job
from rq.results import Result

from catalog.jobs import records, rows
from catalog.jobs.rows import RAW, Row

log = logging.getLogger(__name__)

STATES = {
    "started": "running",
    "finished": "completed",
    "failed": "failed",
    "stopped": "stopped",
    "canceled": "cancelled",
}  # whatever else RQ says has not begun yet
ENDED = ("completed", "failed", "stopped", "cancelled")
_TRACEBACK = "Traceback (most recent call last):"
_OURS = "catalog."


@dataclass(frozen=True)
class Shown:
    """A job. `record_id` names the import or the bulk deletion that it stands for, which then says how far it is."""

    id: str
    kind: str
    record_id: uuid.UUID | None
    function: str
    queue: str
    state: str
    status: str
    percent: int
    message: str | None
    result: Any = None
    error: str | None = None
    worker: str | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


def state(job: Job) -> str:
    """Return the state that RQ has a job in, in our words."""
    return STATES.get(job.get_status(refresh=False).value, "pending")


def row_of(job: Job) -> Row | None:
    """Return the row that a job stands for, or None."""
    return next(iter(rows.of([records.call(job)]).values()), None)


def many(jobs: list[Job]) -> list[Shown]:
    """Return jobs without their results, with one query for each kind of row among them."""
    calls = {job.id: records.call(job) for job in jobs}
    known = rows.of(calls.values())
    keys = {
        job_id: (function, str(arguments[0]) if arguments else "") for job_id, (function, arguments) in calls.items()
    }
    return [of_row(known[keys[job.id]], job) if keys[job.id] in known else of_job(job) for job in jobs]


def with_outcome(job: Job) -> Shown:
    """Return a job with its result or its error. Raises Forbidden, NotFound where the caller may not see its row."""
    row = row_of(job)
    if row is not None:
        row.demand()
        return of_row(row, job, _row_result(row))
    return of_job(job, _last_result(job) if state(job) in ENDED else None)


def _last_result(job: Job) -> Result | None:
    try:
        return job.latest_result()
    except redis.ConnectionError:
        raise
    except Exception as error:  # RQ does not check what it parses
        log.warning("Could not read the result of a job: job=%s error=%r", job.id, error)
        return None


def row_with_outcome(row: Row) -> Shown:
    """Return the job of a row that RQ knows nothing of any more. Raises Forbidden, NotFound likewise."""
    row.demand()
    return of_row(row, None, _row_result(row))


def of_job(job: Job, last: Result | None = None) -> Shown:
    """Return a job that RQ alone knows; `last` is its latest result."""
    now = state(job)
    percent = {"pending": 0, "completed": 100}.get(now, _percent(job.meta.get("percent")))
    failed = last is not None and now == "failed"
    return Shown(
        id=job.id,
        kind="job",
        record_id=None,
        function=records.call(job)[0],
        queue=job.origin,
        state=now,
        status="STARTED" if now == "running" and not percent else RAW.get(now, "FAILURE"),
        percent=percent,
        message=None if now in ("pending", "completed") else _text(job.meta.get("message")),
        result=last.return_value if last is not None and now == "completed" else None,
        error=reason(last.exc_string) if failed else None,  # type: ignore[union-attr]
        **_times(job, now),
    )


def _percent(shown: Any) -> int:
    return shown if isinstance(shown, int) and 0 <= shown <= 100 else 0


def _text(shown: Any) -> str | None:
    return shown if isinstance(shown, str) else None


def of_row(row: Row, job: Job | None, result: Any = None) -> Shown:
    """Return a job that stands for a row, without the row's data for callers that may not see it."""
    at = row.progress
    shown = Shown(
        id=job.id if job else str(row.id),
        kind=row.kind.name,
        record_id=row.id,
        function=row.kind.function,
        queue=row.kind.queue,
        state=at.state,
        status=at.status,
        percent=at.percent,
        message=at.message,
        result=result,
        error=at.error,
        **(_times(job, at.state) if job else {}),
    )
    return shown if row.is_visible else replace(shown, record_id=None, message=None, result=None, error=None)


def _row_result(row: Row) -> Any:
    return row.kind.result(row.id) if row.progress.state in ENDED else None


def _times(job: Job, now: str) -> dict[str, Any]:
    times = {name: getattr(job, name) for name in ("enqueued_at", "started_at", "ended_at")}
    return {**times, "worker": job.worker_name if now == "running" else None}


def reason(said: str | None) -> str:
    """Return why a job failed, from what RQ keeps: our own errors' text, of all others only the exception's name.

    A stack trace, SQL or a secret in a message is for the log alone.
    """
    text = (said or "").strip()
    if _TRACEBACK not in text:
        return text.splitlines()[0] if text else "The job failed."
    lines = text.rsplit(_TRACEBACK, 1)[1].splitlines()
    name, _, message = next((line for line in lines if line and not line.startswith(" ")), "Error").partition(": ")
    return message if name.startswith(_OURS) and message else name.rsplit(".", 1)[-1]
