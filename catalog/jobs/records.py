"""Jobs as RQ keeps them in Redis: read in a few round trips, never a whole registry, and nothing is cleaned up."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import redis
from rq.defaults import FORMAT_KEY_PREFIX
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import JOB_ID_PATTERN, Job
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcparse

from catalog import jobqueue
from catalog.queuedjobs import QueuedJob

PENDING_KEY = FORMAT_KEY_PREFIX + ":queue:{0}"
TAKEN_KEY = PENDING_KEY + ":intermediate"  # RQ's list of jobs that a worker has taken and not yet started
KEYS = {
    "running": StartedJobRegistry.key_template,
    "pending": PENDING_KEY,
    "failed": FailedJobRegistry.key_template,  # holds the stopped ones, too
    "cancelled": CanceledJobRegistry.key_template,
    "completed": FinishedJobRegistry.key_template,
}
FIELDS = ("status", "origin", "data", "meta", "worker_name", "created_at", "enqueued_at", "started_at", "ended_at")


class Place(NamedTuple):
    """Where RQ keeps the jobs of one queue that are in one state."""

    queue: str
    state: str

    @property
    def key(self) -> str:
        """The Redis key: a list for `pending` and `taken`, else a sorted set by the time of expiry."""
        return (TAKEN_KEY if self.state == "taken" else KEYS[self.state]).format(self.queue)

    @property
    def is_list(self) -> bool:
        """Return whether the key holds a list."""
        return self.state in ("pending", "taken")


def places(queue: str | None, state: str | None) -> list[Place]:
    """Return the places that these filters leave; None leaves all. Jobs that were just taken count as pending."""
    queues = [name for name in jobqueue.QUEUES if queue in (None, name)]
    states = [name for name in KEYS if state in (None, name)]
    states += ["taken"] if "pending" in states else []
    return [Place(name, each) for each in states for name in queues]


def page(wanted: Sequence[Place], limit: int, offset: int) -> tuple[list[Job], int]:
    """Return a window on these places, one after the other, and how many jobs there are in all.

    In each the latest come first, but of waiting jobs the next one. Raises redis.RedisError.
    """
    numbers = counts(wanted)
    pipeline = jobqueue.connection().pipeline(transaction=False)
    for place, first, last in windows(wanted, numbers, limit, offset):
        if place.is_list:
            pipeline.lrange(place.key, first, last)
        else:
            pipeline.zrange(place.key, first, last, desc=True)
    found = [entry.decode("utf-8", "replace").split(":")[0] for entries in replies(pipeline) for entry in entries or ()]
    ids = dict.fromkeys(job_id for job_id in found if JOB_ID_PATTERN.fullmatch(job_id))  # one may move meanwhile
    return fetch(list(ids)), sum(numbers)


def counts(wanted: Sequence[Place]) -> list[int]:
    """Return how many jobs each of these places holds. Raises redis.RedisError.

    What has expired is not counted: its entry stays until a worker cleans up. A running job never expires.
    """
    pipeline = jobqueue.connection().pipeline(transaction=False)
    for place in wanted:
        if place.is_list:
            pipeline.llen(place.key)
        else:
            pipeline.zcount(place.key, "-inf" if place.state == "running" else time.time(), "+inf")
    return [number or 0 for number in replies(pipeline)]


def replies(pipeline: Any) -> list[Any]:
    """Execute a pipeline and return the replies, None where a key holds another type. Raises redis.RedisError."""
    found = pipeline.execute(raise_on_error=False)
    for position, reply in enumerate(found):
        if isinstance(reply, Exception):
            if not str(reply).startswith("WRONGTYPE"):
                raise reply
            found[position] = None
    return list(found)


def windows(
    wanted: Sequence[Place], numbers: Sequence[int], limit: int, offset: int
) -> Iterator[tuple[Place, int, int]]:
    """Yield the first and last index to read in each place, as if the places were one list."""
    for place, count in zip(wanted, numbers, strict=True):
        taken = min(limit, max(count - offset, 0))
        if taken:
            yield place, offset, offset + taken - 1
        limit -= taken
        offset = max(offset - count, 0)


def find(job_id: str) -> Job | None:
    """Return a job by id, or None. Raises redis.RedisError."""
    if not JOB_ID_PATTERN.fullmatch(job_id):
        return None
    return next(iter(fetch([job_id])), None)


def fetch(ids: Sequence[str]) -> list[Job]:
    """Return these jobs, without those that are gone or cannot be read, in one round trip. Raises redis.RedisError."""
    connection = jobqueue.connection()
    pipeline = connection.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hmget(Job.key_for(job_id), FIELDS)
    found = [_restored(job_id, values, connection) for job_id, values in zip(ids, replies(pipeline), strict=True)]
    return [job for job in found if job is not None]


def _restored(job_id: str, values: list[bytes | None] | None, connection: redis.Redis) -> Job | None:
    job = QueuedJob(job_id, connection=connection, serializer=JSONSerializer)
    try:
        job.restore(
            {name: value for name, value in zip(FIELDS, values or [], strict=bool(values)) if value is not None}
        )
    except NoSuchJobError:  # it is gone, cannot be read, or a late heartbeat left a hash with nothing else in it
        return None
    return job


def call(job: Job) -> tuple[str, Sequence[Any]]:
    """Return the dotted name of the job's function, and its arguments; blank where someone else wrote them."""
    try:
        name, arguments = job.func_name, job.args
    except DeserializationError:
        return "", ()
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, list | tuple) else ("", ())


def moment(written: bytes | str | None) -> datetime | None:
    """Parse a time as RQ writes it. Returns None for anything else."""
    try:
        return utcparse(written.decode() if isinstance(written, bytes) else written) if written else None
    except ValueError:
        return None
