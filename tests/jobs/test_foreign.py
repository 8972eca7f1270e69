"""What someone else wrote to the queue's Redis: no function but ours is called, and nothing ends the worker."""

import json
import uuid

import pytest
from rq.serializers import JSONSerializer

from catalog import jobqueue
from catalog.queuedjobs import ForeignFunction, QueuedJob, function_named
from tests.jobs.conftest import forget_all_jobs
from tests.processes import running, standing_in, wait_for

HONEST = "catalog.jobs.jobs.test"
FOREIGN = [
    "os.system",
    "builtins.exec",
    "catalog.commands.develop.lint",
    "catalog.jobs.service.prune",
    "catalog.webhooks.jobs.dispatch.run",
    "catalog.webhooks.jobs.dispatch",
    "catalog.webhooks.jobs.uuid",
    "catalog.imports.jobs.no_such_function",
    "catalog.nothing.jobs.run",
    "catalog.jobs.jobs.test\n",
    "",
    None,
    5,
    ["os.system"],
]


@pytest.mark.parametrize("name", FOREIGN, ids=repr)
def test_a_foreign_function_is_not_called(name):
    with pytest.raises(ForeignFunction):
        function_named(name)


def test_a_foreign_module_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ForeignFunction):
        function_named("planted.jobs.run")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    [
        HONEST,
        "catalog.imports.jobs.run",
        "catalog.orders.jobs.process",
        "catalog.products.jobs.delete_all",
        "catalog.products.jobs.apply_writes",
        "catalog.webhooks.jobs.replay",
        "catalog.webhooks.jobs.send",
    ],
)
def test_our_job_functions_are(name):
    assert callable(function_named(name))


def written(function, *arguments, **fields) -> str:
    """Write a job's hash as anybody can, put it on the queue, and return its id."""
    job_id, connection = str(uuid.uuid4()), jobqueue.connection()
    data = {"data": json.dumps([function, None, arguments, {}]), "created_at": "2026-01-01T00:00:00Z"}
    values = {**data, "origin": "default", "status": "queued", "timeout": "10", **fields}
    connection.hset(QueuedJob.key_for(job_id), mapping=values)
    connection.rpush("rq:queue:default", job_id)
    return job_id


GARBAGE = {
    "no job at all": {"data": "not json"},
    "no text": {"data": b"\x80\x04."},
    "a list of nothing": {"data": "[]"},
    "a time that is none": {"created_at": "yesterday", "enqueued_at": "x"},
    "a state that is none": {"status": "nonsense"},
    "a timeout that is none": {"timeout": "soon", "result_ttl": "x"},
    "progress that is none": {"meta": b"\xff"},
    "progress of another kind": {"meta": "[1, 2]"},
    "dependencies that are none": {"dependency_ids": "{"},
    "a callback in no text": {"success_callback_name": b"\xff"},
}


@pytest.fixture
def queues(committed):
    with committed.app_context():
        forget_all_jobs()
        yield
        forget_all_jobs()


@pytest.mark.processes
def test_a_worker_calls_our_functions_alone_and_outlives_garbage(queues, environment, tmp_path):
    called: list[str] = []

    def application(environ, start_response):
        called.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return []

    touched = tmp_path / "touched"
    with standing_in(application) as outside:
        hooks = json.dumps([{"url": outside, "job_status": status} for status in ("finished", "failed")])
        foreign = [written("os.mkdir", str(touched)), written("pathlib.Path.touch", str(touched))]
        names = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
        callbacks = dict.fromkeys(names, "catalog.stack.leftovers.no_such") | {"webhooks": hooks}
        ours = [written(HONEST, 0, fail, **callbacks) for fail in (False, True)]
        for fields in GARBAGE.values():
            written(HONEST, 0, False, **fields)
        jobqueue.connection().rpush("rq:queue:default", "no id at all!", b"\xff\xfe")
        last = jobqueue.submit(HONEST, 0, False, queue_name="default")
        with running(environment, "-m", "catalog.cli", "worker", "default") as worker:
            wait_for(lambda: status(last) == "finished", 180)  # 15 jobs, a process each
            assert worker.poll() is None
    assert [status(job) for job in foreign] == ["failed", "failed"]
    assert [status(job) for job in ours] == ["finished", "failed"]
    assert (touched.exists(), called) == (False, [])


def status(job_id: str) -> str:
    return QueuedJob.fetch(job_id, connection=jobqueue.connection(), serializer=JSONSerializer).get_status().value


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_a_jobs_hash_is_no_error_of_ours(queues, client, name):
    job = written(HONEST, 0, False, **GARBAGE[name])
    for answer in (
        client.get(f"/api/v1/jobs/{job}"),
        client.get("/api/v1/jobs?limit=100"),
        client.get("/console/jobs"),
        client.get("/api/v1/jobs/workers"),
        client.post(f"/api/v1/jobs/{job}/retry"),
        client.delete(f"/api/v1/jobs/{job}"),
    ):
        assert answer.status_code < 500, answer.text
