"""The queues as a whole."""

import pytest
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.utils import utcformat

from catalog import jobqueue
from catalog.errors import Conflict
from catalog.jobs import service


def test_a_queue_tells_how_many_wait_and_since_when_the_next_one_does(context):
    connection = jobqueue.connection()
    connection.flushdb()
    ids = [service.submit_test(0, False) for _ in range(2)]
    early = utcformat(Job.fetch(ids[0], connection=connection, serializer=jobqueue.JSONSerializer).enqueued_at)
    connection.hset(Job.key_for(ids[0]), "enqueued_at", early.replace("20", "19", 1))
    found = {queue.name: queue for queue in service.all_queues()}
    connection.flushdb()
    assert found["default"].waiting == 2
    assert found["default"].oldest_seconds > 86_400
    assert (found["orders"].waiting, found["orders"].oldest_seconds) == (0, None)


def test_a_job_that_ends_while_it_is_cancelled_is_a_conflict_and_no_fault(context, monkeypatch):
    def ended(*_args, **_named):
        raise InvalidJobOperation("Job is not currently executing")

    monkeypatch.setattr(service, "send_stop_job_command", ended)
    monkeypatch.setattr(service.workers, "listens", lambda _name: True)
    job_id = service.submit_test(0, False)
    job = Job.fetch(job_id, connection=jobqueue.connection(), serializer=jobqueue.JSONSerializer)
    job.set_status("started")
    with pytest.raises(Conflict):
        service._stop(job_id)
