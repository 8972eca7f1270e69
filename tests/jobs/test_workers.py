"""The workers as they report themselves to Redis, by RQ 3 and by RQ 2, which may run beside it during a deployment."""

import os
import subprocess
import sys

import pytest
from rq import Worker
from rq.executions import prepare_execution
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat
from rq.worker_registration import REDIS_WORKER_KEYS

from catalog import jobqueue
from catalog.jobs import records, workers


@pytest.fixture
def worker(queues):
    """A worker that is registered, and at no job yet."""
    made = Worker([jobqueue.queue("default")], "new", connection=jobqueue.connection(), serializer=JSONSerializer)
    made.register_birth()
    return made


def submitted() -> str:
    return jobqueue.submit("catalog.jobs.jobs.test", 0, False, queue_name="default")


def begin(worker: Worker, job_id: str):
    return prepare_execution(worker, records.find(job_id))


def current_jobs() -> dict[str, str | None]:
    return {each.name: each.current_job for each in workers.present()}


def test_a_worker_shows_the_job_that_it_is_at_and_none_after(worker):
    assert current_jobs() == {"new": None}
    job_id = submitted()
    execution = begin(worker, job_id)
    assert current_jobs() == {"new": job_id}
    assert [each.job_id for each in worker.get_current_executions()] == [job_id]
    with jobqueue.connection().pipeline() as pipeline:
        worker.cleanup_execution(records.find(job_id), pipeline, execution)
        pipeline.execute()
    assert current_jobs() == {"new": None}


def test_what_a_killed_worker_left_behind_is_not_shown_as_the_job_at_hand(worker):
    left = begin(worker, submitted())
    jobqueue.connection().delete(left.key)  # as it expires
    assert current_jobs() == {"new": None}
    job_id = submitted()
    begin(worker, job_id)
    assert current_jobs() == {"new": job_id}


def test_a_worker_of_rq_2_shows_its_job_too(worker):
    connection = jobqueue.connection()
    entry = {"birth": utcformat(now()), "queues": "default", "state": "busy", "current_job": "one"}
    connection.hset("rq:worker:old", mapping=entry)
    connection.sadd(REDIS_WORKER_KEYS, "rq:worker:old")
    job_id = submitted()
    begin(worker, job_id)
    assert current_jobs() == {"new": job_id, "old": "one"}


KEYS = """
from rq import Queue, Worker
from rq.registry import StartedJobRegistry
from catalog.jobs.records import Place
assert Place("default", "pending").key == Queue.redis_queue_namespace_prefix + "default" == "shop:{1}:queue:default"
assert Place("default", "running").key == StartedJobRegistry.key_template.format("default")
"""


def test_the_keys_follow_rqs_own_prefix():
    environment = {**os.environ, "RQ_KEY_PREFIX": "shop:{1}"}
    subprocess.run([sys.executable, "-c", KEYS], env=environment, check=True, timeout=60)
