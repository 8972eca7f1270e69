"""The queues. RQ is the doorbell, PostgreSQL the queue: what is not rung, the sweeper finds."""

import functools
import logging
from typing import Any

import redis
from flask import Flask, current_app, has_app_context
from rq import Queue, Worker, get_current_job
from rq.intermediate_queue import IntermediateQueue
from rq.serializers import JSONSerializer

from catalog import queuedjobs, redisurl
from catalog.cache.client import Client, Unreachable, pack
from catalog.database import after_commit
from catalog.queuedjobs import QueuedJob

log = logging.getLogger(__name__)

QUEUES = ("imports", "default", "orders")
WORKER_TTL_SECONDS = 30  # a worker looks for a job anew each 15 s: a Redis that has vanished without a word is noticed
BELL_MILLISECONDS = 10_000  # a bell whose job was lost with Redis or a worker; then the next one rings again


@functools.cache
def client(url: str) -> redis.Redis:
    """Return a client that fails fast: redis-py's defaults block for seconds if Redis is down."""
    return redisurl.client(url, socket_timeout=1.0, socket_connect_timeout=0.25, retry=redisurl.at_once())


def connection() -> redis.Redis:
    """Return this process's client of the queue Redis; its calls fail within a second."""
    return client(current_app.config["REDIS_URL"])


def queue(name: str) -> Queue:
    """Return a queue by name; raises ValueError for a name that no worker serves."""
    if name not in QUEUES:
        raise ValueError(f"No worker serves a queue named {name!r}")
    return Queue(name, connection=connection(), serializer=JSONSerializer, job_class=QueuedJob)


def enqueue(function: str, *args: Any, queue_name: str) -> None:
    """Ring for `function` (a dotted name) with JSON arguments once the current transaction commits.

    A bell that cannot be rung is logged and never fails the request: the work is a row already.
    """
    after_commit(functools.partial(ring, function, *args, queue_name=queue_name))


def ring(function: str, *args: Any, queue_name: str) -> bool:
    """Put a job on its queue now; returns whether Redis took it."""
    try:
        submit(function, *args, queue_name=queue_name)
    except redis.RedisError as error:
        log.warning("Could not ring %s for %s, the sweeper will: %s", queue_name, function, error)
        return False
    return True


@functools.cache
def _bells(url: str) -> Client:
    """Return a cheap client with a circuit breaker, so that a hung Redis delays no write."""
    return Client(url, "queue")


def _call_bell(command: str, function: str, *arguments: str | int) -> Any:
    return _bells(current_app.config["REDIS_URL"]).call(pack(command, f"catalog:bell:{function}", *arguments))


def ring_once(function: str, *, queue_name: str) -> bool:
    """Ring for a job that takes up all there is, unless one waits already; tell whether the queue is reachable.

    To be called after the commit. The job calls `hear()` before its last look, so what was committed before this call
    is seen by that look, or rings again. Delays its caller by a quarter of a second at most.
    """
    try:
        first = _call_bell("SET", function, "1", "NX", "PX", BELL_MILLISECONDS) is not None
    except Unreachable:
        return False
    if not first or ring(function, queue_name=queue_name):
        return True
    hear(function)
    return False


def hear(function: str) -> None:
    """Let the next `ring_once()` ring again; to be called before the job's last look for work."""
    try:
        _call_bell("DEL", function)
    except Unreachable as error:
        log.warning("The bell for %s goes out by itself: %s", function, error)


def submit(function: str, *args: Any, queue_name: str) -> str:
    """Put a job on its queue now and return its id. Raises redis.RedisError."""
    settings = current_app.config
    job = queue(queue_name).enqueue_call(
        function,
        args=args,
        timeout=settings["JOB_TIMEOUT_SECONDS"],
        result_ttl=settings["RESULT_TTL_SECONDS"],
        failure_ttl=settings["RETENTION_DAYS"] * 86_400,
    )
    return str(job.id)


def show_progress(percent: int, message: str) -> None:
    """Show in the jobs API how far the job at hand is; outside of a worker there is none, and nothing happens."""
    job = get_current_job()
    if job is not None:
        job.meta.update(percent=percent, message=message)
        job.save_meta()  # type: ignore[no-untyped-call]


def work(queue_name: str, app: Flask) -> None:
    """Serve one queue until told to stop; one queue a process, since a worker on several can lose a job."""
    patient = redisurl.client(app.config["REDIS_URL"], retry=redisurl.through_a_failover())
    with app.app_context():
        _Worker(
            [queue_name],
            connection=patient,
            serializer=JSONSerializer,
            log_job_description=False,
            worker_ttl=WORKER_TTL_SECONDS,
        ).work(logging_level=app.config["LOG_LEVEL"].upper())


class _Worker(Worker):
    """RQ's worker, restricted to our job functions. While Redis is away, its waiting time grows up to 2 s."""

    job_class = QueuedJob
    max_connection_wait_time = 2.0

    def _set_ip_address(self, connection: redis.Redis) -> None:
        """Ask Redis for this worker's address; redis-py fails to read that of a socket whose path has a space."""
        try:
            super()._set_ip_address(connection)
        except ValueError:
            self.ip_address = "unknown"

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next job. Skips ids that are no text, which would end RQ's worker."""
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(*args, **kwargs)
            except UnicodeDecodeError as error:
                log.warning("Skipped an unreadable entry of a queue: %r", error.object)
                for each in self.queues:
                    key = IntermediateQueue.get_intermediate_queue_key(each.key)
                    self.connection.lrem(key, 0, error.object)  # type: ignore[arg-type]  # it takes bytes, too


def in_app_context(job: Any) -> Any:
    """Decorate a job so that workers may call it, inside an application context of its own."""

    @functools.wraps(job)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            return job(*args, **kwargs)
        from wsgi import app

        with app.app_context():
            return job(*args, **kwargs)

    queuedjobs.mark(wrapper)
    return wrapper
