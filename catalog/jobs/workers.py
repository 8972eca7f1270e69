"""The workers, as each reports itself to Redis."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rq import Worker
from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution
from rq.worker_registration import REDIS_WORKER_KEYS

from catalog import jobqueue
from catalog.jobs.records import moment, replies

FIELDS = (
    *("queues", "state", "last_heartbeat", "birth", "hostname", "pid"),
    *("successful_job_count", "failed_job_count", "death"),
    "current_job",  # written by RQ 2 alone, whose workers may run beside those of RQ 3 during a deployment
)

_COMPOSITE_KEY = re.compile(rb"[\w.-]+:[\w.-]+", re.ASCII)  # a job's id and an execution's
_DIGITS = 19
_PREFIX = Worker.redis_worker_namespace_prefix


@dataclass(frozen=True)
class Shown:
    """A worker. `alive` tells whether its process listens for commands; one that was killed is listed for minutes."""

    name: str
    queue: str
    state: str
    alive: bool
    current_job: str | None
    last_heartbeat: datetime | None
    started_at: datetime | None
    host: str | None
    pid: int | None
    jobs_done: int
    jobs_failed: int


def present() -> list[Shown]:
    """Return the workers that have not said goodbye, by name. Raises redis.RedisError."""
    names = _names()
    pipeline = jobqueue.connection().pipeline(transaction=False)
    for name in names:
        pipeline.hmget(_PREFIX + name, FIELDS)
        pipeline.pubsub_numsub(PUBSUB_CHANNEL_TEMPLATE % name)
        pipeline.smembers(WORKER_EXECUTIONS_KEY_TEMPLATE.format(name))
    answers = replies(pipeline)
    jobs = _running_jobs(answers[2::3])
    shown = [
        _shown(name, values or [None] * len(FIELDS), bool(listeners[0][1]), job)
        for name, values, listeners, job in zip(names, answers[::3], answers[1::3], jobs, strict=True)
    ]
    return [worker for worker in shown if worker is not None]


def _names() -> list[str]:
    pipeline = jobqueue.connection().pipeline(transaction=False)
    pipeline.smembers(REDIS_WORKER_KEYS)
    (keys,) = replies(pipeline)
    return sorted(key.decode("utf-8", "replace").removeprefix(_PREFIX) for key in keys or ())


def _running_jobs(executions: Sequence[set[bytes] | None]) -> list[str | None]:
    """Return the job that each worker is at, as Worker.get_current_executions() does, but for all of them at once.

    A worker that was killed leaves an entry behind whose execution has expired.
    """
    found = [_executions(members or set()) for members in executions]
    pipeline = jobqueue.connection().pipeline(transaction=False)
    for execution in (each for worker in found for each in worker):
        pipeline.exists(execution.key)
    alive = iter(replies(pipeline))
    running = [[each.job_id for each in worker if next(alive)] for worker in found]
    return [jobs[0] if jobs else None for jobs in running]


def _executions(members: set[bytes]) -> list[Execution]:
    valid = [member.decode() for member in sorted(members) if _COMPOSITE_KEY.fullmatch(member)]
    return [Execution.from_composite_key(member, jobqueue.connection()) for member in valid]


def listens(name: str) -> bool:
    """Tell whether a worker's process listens for commands. Raises redis.RedisError."""
    answer = jobqueue.connection().pubsub_numsub(PUBSUB_CHANNEL_TEMPLATE % name)
    return bool(answer[0][1])  # type: ignore[index]


def _shown(name: str, values: list[bytes | None], alive: bool, job: str | None) -> Shown | None:
    told = {field: value.decode("utf-8", "replace") for field, value in zip(FIELDS, values, strict=True) if value}
    if "birth" not in told or "death" in told:
        return None
    return Shown(
        name=name,
        queue=told.get("queues", ""),
        state=told.get("state", "starting"),
        alive=alive,
        current_job=job or told.get("current_job"),
        last_heartbeat=moment(told.get("last_heartbeat")),
        started_at=moment(told.get("birth")),
        host=told.get("hostname"),
        pid=_count(told.get("pid")) or None,
        jobs_done=_count(told.get("successful_job_count")),
        jobs_failed=_count(told.get("failed_job_count")),
    )


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < _DIGITS else 0
