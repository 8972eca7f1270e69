"""The queues as a whole: how many jobs each holds, and since when the next one waits."""

from dataclasses import dataclass
from datetime import UTC, datetime

from rq.job import Job

from catalog import jobqueue
from catalog.jobs.records import Place, counts, moment, replies


@dataclass(frozen=True)
class Shown:
    """A queue. `oldest_seconds` is how long its next job has waited by now, None where none does."""

    name: str
    waiting: int
    running: int
    failed: int
    oldest_seconds: float | None


def all_of_them() -> list[Shown]:
    """Return the queues in three round trips. Raises redis.RedisError."""
    names = jobqueue.QUEUES
    states = ("pending", "running", "failed")
    found = iter(counts([Place(name, state) for name in names for state in states]))
    numbers = {name: (next(found), next(found), next(found)) for name in names}
    waited = dict(zip(names, _waited(), strict=True))
    return [Shown(name, *numbers[name], waited[name]) for name in names]


def _waited() -> list[float | None]:
    connection = jobqueue.connection()
    pipeline = connection.pipeline(transaction=False)
    for name in jobqueue.QUEUES:
        pipeline.lindex(Place(name, "pending").key, 0)
    ids = [found.decode("utf-8", "replace") if found else "" for found in replies(pipeline)]
    for job_id in ids:
        pipeline.hget(Job.key_for(job_id), "enqueued_at")
    return [_since(written) for written in replies(pipeline)]


def _since(written: bytes | None) -> float | None:
    enqueued = moment(written)
    return max(0.0, (datetime.now(UTC) - enqueued).total_seconds()) if enqueued else None
