"""The jobs API over real queues that no worker serves."""

import uuid

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from catalog import jobqueue
from catalog.jobs import service
from tests.jobs.conftest import in_place

URL = "/api/v1/jobs"


def fail(job_id: str, said: str = "ValueError: no") -> None:
    """Let a waiting job have failed, as RQ records it."""
    connection = jobqueue.connection()
    job = Job.fetch(job_id, connection=connection, serializer=JSONSerializer)
    jobqueue.queue(job.origin).remove(job_id)
    with connection.pipeline() as pipeline:
        job.set_status("failed", pipeline=pipeline)
        job._handle_failure(said, pipeline)
        pipeline.execute()


def test_a_test_job_is_submitted_without_a_body_and_watched_where_the_answer_says(client, queues):
    answer = client.post(f"{URL}/test")
    assert (answer.status_code, answer.json["status"]) == (202, "submitted")
    job = client.get(answer.headers["Location"]).json
    assert (job["id"], job["task_id"]) == (answer.json["task_id"], answer.json["task_id"])
    assert (job["state"], job["status"], job["percent"], job["queue"]) == ("pending", "PENDING", 0, "default")
    assert (job["function"], job["kind"], job["result"], job["error"]) == ("catalog.jobs.jobs.test", "job", None, None)
    assert job["enqueued_at"].endswith("Z")


@pytest.mark.parametrize("state", ["", "?state=pending"])
def test_a_job_that_a_worker_has_taken_and_not_started_is_listed_as_pending(client, queues, state):
    job_id = client.post(f"{URL}/test").json["task_id"]
    queue = jobqueue.queue("default")
    jobqueue.connection().lmove(queue.key, queue.intermediate_queue_key)
    listed = client.get(f"{URL}{state}").json
    assert [(job["id"], job["state"]) for job in listed["items"]] == [(job_id, "pending")]
    assert listed["total"] == 1


@pytest.mark.parametrize("body", [{"seconds": 61}, {"seconds": -1}, {"seconds": "5"}, {"fail": "yes"}, {"other": 1}])
def test_a_test_job_that_cannot_be_is_refused(client, queues, body):
    assert client.post(f"{URL}/test", json=body).status_code == 400
    assert in_place("pending") == []


def test_the_celery_address_shows_the_same_jobs(client, queues):
    answer = client.post("/api/v1/celery/test", json={})
    task = answer.json["task_id"]
    assert answer.headers["Location"] == f"/api/v1/celery/task/{task}"
    assert client.get(f"/api/v1/celery/task/{task}").json == client.get(f"{URL}/{task}").json
    assert client.get("/api/v1/celery").json == client.get(URL).json
    assert client.get("/api/v1/celery/workers").json == client.get(f"{URL}/workers").json
    assert client.delete(f"/api/v1/celery/task/{task}").json["state"] == "cancelled"
    assert client.post(f"/api/v1/celery/task/{task}/retry").status_code == 409


@pytest.mark.parametrize("job_id", ["nobody", uuid.uuid4(), "a:b", "*", "%00", "x" * 5000, "{}", "urn:uuid:1"])
@pytest.mark.parametrize(("method", "tail"), [("get", ""), ("delete", ""), ("post", "/retry")])
def test_an_unknown_job_is_404(client, queues, job_id, method, tail):
    assert getattr(client, method)(f"{URL}/{job_id}{tail}").status_code == 404


def test_an_id_with_a_colon_is_not_taken_for_the_part_before_it(client, submitted):
    assert client.get(f"{URL}/{submitted()}:dependents").status_code == 404


def test_a_waiting_job_is_cancelled_at_once_and_no_worker_will_find_it(client, submitted):
    task, other = submitted(), submitted()
    answer = client.delete(f"{URL}/{task}")
    assert (answer.status_code, answer.json["state"], answer.json["status"]) == (202, "cancelled", "FAILURE")
    assert answer.json["ended_at"]
    assert (in_place("pending"), in_place("cancelled")) == ([other], [task])
    assert jobqueue.connection().ttl(f"rq:job:{task}") > 0


def test_what_has_ended_cannot_be_cancelled(client, submitted):
    cancelled, failed = submitted(), submitted()
    client.delete(f"{URL}/{cancelled}")
    fail(failed)
    for task in (cancelled, failed):
        answer = client.delete(f"{URL}/{task}")
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert in_place("failed") == [failed]


def test_a_job_that_a_worker_takes_up_this_moment_is_neither_cancelled_nor_lost(client, submitted):
    task = submitted()
    key = jobqueue.queue("default").key
    assert jobqueue.connection().lmove(key, f"{key}:intermediate").decode() == task  # as the worker does
    assert client.delete(f"{URL}/{task}").status_code == 409
    assert client.get(f"{URL}/{task}").json["state"] == "pending"


def test_a_running_job_whose_worker_is_gone_is_409(client, submitted):
    task = submitted()
    jobqueue.queue("default").remove(task)
    jobqueue.connection().hset(f"rq:job:{task}", mapping={"status": "started", "worker_name": "nobody"})
    assert client.delete(f"{URL}/{task}").status_code == 409


def test_a_failed_job_is_put_back_and_only_once(client, submitted):
    task = submitted()
    assert client.post(f"{URL}/{task}/retry").status_code == 409
    fail(task)
    again = client.post(f"{URL}/{task}/retry")
    assert (again.status_code, again.json["state"], again.json["error"]) == (202, "pending", None)
    assert client.post(f"{URL}/{task}/retry").status_code == 409
    assert (in_place("pending"), in_place("failed")) == ([task], [])
    (written,) = client.get("/api/v1/audit?entity=job&action=retry").json["items"]
    assert (written["entity_id"], written["actor"]["id"]) == (task, "anonymous")


def test_a_failure_tells_our_errors_and_of_others_only_the_name(client, submitted):
    frames = 'Traceback (most recent call last):\n  File "x.py", line 1, in y\n    raise z\n'
    ours, others = submitted(), submitted()
    fail(ours, f"{frames}catalog.errors.Conflict: The SKU is taken.\n")
    fail(others, f"{frames}sqlalchemy.exc.DataError: password=hush\n[SQL: SELECT hush]\n")
    assert client.get(f"{URL}/{ours}").json["error"] == "The SKU is taken."
    assert client.get(f"{URL}/{others}").json["error"] == "DataError"
    assert "hush" not in client.get(f"{URL}/{others}").text


def test_jobs_are_listed_by_queue_and_state_in_pages(client, submitted):
    waiting = [submitted() for _ in range(5)]
    failed = [submitted() for _ in range(3)]
    for number, task in enumerate(failed):
        fail(task)
        jobqueue.connection().zincrby("rq:failed:default", number, task)
    page = client.get(f"{URL}?state=pending&limit=2&offset=2").json
    assert [job["id"] for job in page["items"]] == waiting[2:4]
    assert (page["total"], page["has_more"]) == (5, True)
    page = client.get(f"{URL}?state=failed&queue=default").json
    assert [job["id"] for job in page["items"]] == failed[::-1]
    assert client.get(f"{URL}?state=failed&queue=imports").json["total"] == 0
    both = client.get(f"{URL}?limit=4&offset=3").json
    assert [job["id"] for job in both["items"]] == [*waiting[3:], *failed[:0:-1]]
    assert (both["total"], both["has_more"]) == (8, True)
    assert "result" not in both["items"][0]


def test_pages_together_hold_every_job_once(client, submitted):
    tasks = {submitted() for _ in range(11)}
    for task in sorted(tasks)[:5]:
        fail(task)
    pages = [client.get(f"{URL}?limit=3&offset={offset}").json["items"] for offset in range(0, 12, 3)]
    assert sorted(job["id"] for page in pages for job in page) == sorted(tasks)


def test_what_has_expired_is_not_listed_and_the_list_cleans_nothing_up(client, submitted):
    task = submitted()
    fail(task)
    jobqueue.connection().zadd("rq:failed:default", {"long-gone": 1})
    page = client.get(f"{URL}?state=failed").json
    assert (page["total"], [job["id"] for job in page["items"]]) == (1, [task])
    assert jobqueue.connection().zcard("rq:failed:default") == 2


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=101", "offset=-1", f"offset={10**30}", "state=x", "queue=x", "a=b"]
)
def test_a_query_that_cannot_be_is_400(client, queues, query):
    assert client.get(f"{URL}?{query}").status_code == 400


def test_a_hash_that_a_late_heartbeat_left_is_no_job(client, queues):
    jobqueue.connection().hset("rq:job:late", "last_heartbeat", "x")
    jobqueue.connection().zadd("rq:failed:default", {"late": 9e9})
    assert client.get(f"{URL}/late").status_code == 404
    assert client.get(f"{URL}?state=failed").json["items"] == []


def test_the_sweep_forgets_cancelled_jobs_that_have_expired(client, submitted):
    task = submitted()
    client.delete(f"{URL}/{task}")
    jobqueue.connection().zadd("rq:canceled:default", {"long-gone": 1})
    service.prune()
    assert jobqueue.connection().zrange("rq:canceled:default", 0, -1) == [task.encode()]


def test_without_redis_every_call_is_503_with_retry_after(client, monkeypatch):
    closed = jobqueue.client("redis://127.0.0.1:1/0")
    monkeypatch.setattr(jobqueue, "client", lambda _url: closed)
    job = f"/{uuid.uuid4()}"
    calls = [
        ("get", ""),
        ("get", "/workers"),
        ("post", "/test"),
        ("get", job),
        ("delete", job),
        ("post", f"{job}/retry"),
    ]
    for method, path in calls:
        answer = getattr(client, method)(f"{URL}{path}")
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable"), path
        assert int(answer.headers["Retry-After"]) > 0
