"""The rules of jobs: looking at them, ending them, running them again.

What is asked for by the id of a row needs PostgreSQL alone, all else the queue's Redis.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from flask import current_app
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from catalog import jobqueue
from catalog.audit import service as audit
from catalog.errors import Conflict, NotFound, Unavailable
from catalog.jobs import queues, records, rows, trial, views, workers
from catalog.pagination import offset_page
from catalog.queuedjobs import QueuedJob

log = logging.getLogger(__name__)

# All or nothing: a job that a worker has taken from the queue is no longer ours to cancel.
_CANCEL_WAITING = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], 'status', 'canceled', 'ended_at', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
return 1"""


@contextmanager
def _redis_answers() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        log.warning("The queue does not answer: %s", error)
        raise Unavailable("The queue does not answer just now. Please try again.") from error


def present_workers() -> list[workers.Shown]:
    """Return the workers by name. Raises Unavailable."""
    with _redis_answers():
        return workers.present()


def all_queues() -> list[queues.Shown]:
    """Return the queues with what waits in them. Raises Unavailable."""
    with _redis_answers():
        return queues.all_of_them()


def page(queue: str | None, state: str | None, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of jobs: items, total, limit, offset, has_more. Raises Unavailable.

    `state` is where RQ keeps a job: what stands for a row is shown as far as its row is, wherever RQ keeps it.
    """
    with _redis_answers():
        found, total = records.page(records.places(queue, state), limit, offset)
    return offset_page(views.many(found), total, limit, offset)


def get(job_id: str) -> views.Shown:
    """Return a job by RQ's id, or by that of the row it stands for. Raises NotFound, Unavailable."""
    row = rows.find(job_id)
    if row is not None:
        return views.row_with_outcome(row)
    with _redis_answers():
        job = records.find(job_id)
        if job is None:
            raise NotFound("There is no such job.")
        return views.with_outcome(job)


def submit_test(seconds: int, fail: bool) -> str:
    """Queue the test job and return its id. Raises Unavailable."""
    with _redis_answers():
        return jobqueue.submit(trial.JOB, seconds, fail, queue_name=trial.QUEUE)


def cancel(job_id: str) -> views.Shown:
    """Cancel a waiting job at once, or tell the worker of a running one to stop it; return it as it is then.

    What stands for a row is cancelled as such: an import or a bulk deletion after the chunk at hand.
    Raises NotFound, Conflict for a job that has ended, Unavailable.
    """
    row = rows.find(job_id)
    if row is not None:
        row.demand()
        row.kind.cancel(row.id)
    else:
        with _redis_answers():
            _cancel_job(job_id)
    return get(job_id)


def _cancel_job(job_id: str) -> None:
    job = records.find(job_id)
    if job is None:
        raise NotFound("There is no such job.")
    row = views.row_of(job)
    if row is not None:
        row.demand()
        row.kind.cancel(row.id)
    else:
        if not _cancel_waiting(job):
            _stop(job.id)
        audit.record("cancel", "job", job.id)


def _cancel_waiting(job: Job) -> bool:
    kept = current_app.config["RETENTION_DAYS"] * 86_400
    waiting, cancelled = (records.Place(job.origin, state) for state in ("pending", "cancelled"))
    keys = [waiting.key, job.key, cancelled.key]
    arguments = [job.id, utcformat(now()), kept, int(time.time()) + kept]
    return bool(jobqueue.connection().eval(_CANCEL_WAITING, len(keys), *keys, *arguments))


def _stop(job_id: str) -> None:
    job = records.find(job_id)  # anew: a worker may have begun or ended it
    state = views.state(job) if job is not None else "completed"
    if job is None or state in views.ENDED:
        raise Conflict(f"The job has ended already: it is {state}.")
    if state == "pending":
        raise Conflict("A worker is taking up the job this very moment; cancel it again.")
    if not workers.listens(job.worker_name or ""):
        raise Conflict("The job's worker does not listen; if it is gone, the job will fail within minutes.")
    try:
        send_stop_job_command(jobqueue.connection(), job_id, serializer=JSONSerializer)
    except (InvalidJobOperation, NoSuchJobError) as error:  # it ended since it was looked at
        raise Conflict("The job has ended this very moment.") from error


def retry(job_id: str) -> views.Shown:
    """Put a job that failed or was stopped back on its queue, or a write that failed; return it as it is then.

    Raises NotFound, Conflict for any other job and for one whose import or bulk deletion has ended, Unavailable.
    """
    row = rows.find(job_id)
    if row is not None:
        row.demand()
    if row is not None and row.kind.retry is not None:
        row.kind.retry(row.id)
    else:
        with _redis_answers():
            _retry_job(job_id, has_row=row is not None)
        audit.record("retry", "job", job_id)
    return get(job_id)


def _retry_job(job_id: str, has_row: bool) -> None:
    job = records.find(job_id)
    if job is None:
        raise Conflict("The queue has no job for this any more.") if has_row else NotFound("There is no such job.")
    row = views.row_of(job)
    if row is not None:
        row.demand()
        if row.progress.state in views.ENDED:
            raise Conflict(f"The job's record has ended: it is {row.progress.state}.")
    _requeue(job.id)


def _requeue(job_id: str) -> None:
    try:
        QueuedJob.fetch(job_id, connection=jobqueue.connection(), serializer=JSONSerializer).requeue()
    except (InvalidJobOperation, NoSuchJobError) as error:
        raise Conflict("Only a job that failed or was stopped can be run again.") from error


def prune() -> None:
    """Forget the cancelled jobs that have expired; RQ's workers do so for all others."""
    for place in records.places(None, "cancelled"):
        jobqueue.connection().zremrangebyscore(place.key, 0, time.time())
