"""An import or a bulk deletion, shown as a job, never disagrees with its own address."""

import uuid

import pytest

from catalog import jobqueue
from catalog.extensions import db
from catalog.imports import service as imports
from catalog.products import bulk_delete
from tests.factories import make_product
from tests.imports.conftest import importer  # noqa: F401
from tests.jobs.conftest import in_place
from tests.jobs.test_routes import fail

URL = "/api/v1/jobs"
CSV = "sku,name,price\nA,Lamp,5\nB,Desk,cheap\n"


@pytest.fixture
def imported(queues, importer):  # noqa: F811
    """A waiting import and its job: (client, import's id, job's id)."""
    task = str(importer.submit(CSV))
    (job_id,) = in_place("pending", "imports")
    return importer.client, task, job_id


@pytest.fixture
def deletion(queues, committed):
    """A waiting deletion of three products and its job."""
    client = committed.test_client()
    for _ in range(3):
        make_product()
    task = client.delete("/api/v1/products/all").json["task_id"]
    (job_id,) = in_place("pending")
    yield client, task, job_id
    db.session.rollback()  # or it would keep `committed` from emptying the tables


def check_import(client, task: str, job_id: str, state: str) -> None:
    own = client.get(f"/api/v1/products/import/{task}/progress").json
    listed = client.get(URL).json["items"]
    for shown in (client.get(f"{URL}/{task}").json, client.get(f"{URL}/{job_id}").json, *listed):
        same = {name: own[name] for name in ("status", "percent", "message", "error")}
        assert {name: shown[name] for name in same} == same
        assert (shown["state"], shown["kind"], shown["record_id"]) == (state, "import", task)
    result = client.get(f"/api/v1/products/import/{task}/result").json["result"]
    assert client.get(f"{URL}/{job_id}").json["result"] == result
    assert client.get(f"{URL}/{task}").json["result"] == result


def check_deletion(client, task: str, job_id: str, state: str) -> None:
    own = client.get(f"/api/v1/products/delete/{task}/status").json
    listed = client.get(URL).json["items"]
    for shown in (client.get(f"{URL}/{task}").json, client.get(f"{URL}/{job_id}").json, *listed):
        assert (shown["state"], shown["kind"], shown["record_id"]) == (own["status"], "bulk_deletion", task)
        assert [shown[name] for name in ("percent", "message", "error")] == [
            own[name] for name in ("percent", "message", "error")
        ]
    assert own["status"] == state


def test_an_import_agrees_while_it_waits_and_when_it_is_done_whatever_became_of_its_job(imported):
    client, task, job_id = imported
    check_import(client, task, job_id, "pending")
    imports.run(uuid.UUID(task))
    check_import(client, task, job_id, "completed")
    fail(job_id)
    assert in_place("failed", "imports") == [job_id]
    check_import(client, task, job_id, "completed")
    assert client.post(f"{URL}/{job_id}/retry").status_code == 409
    assert client.delete(f"{URL}/{job_id}").status_code == 409


@pytest.mark.parametrize("by", ["import", "job"])
def test_cancelling_the_job_of_an_import_cancels_the_import(imported, by):
    client, task, job_id = imported
    answer = client.delete(f"{URL}/{task if by == 'import' else job_id}")
    assert (answer.status_code, answer.json["state"], answer.json["error"]) == (202, "cancelled", "Cancelled")
    assert client.get(f"/api/v1/imports/{task}").json["state"] == "cancelled"
    check_import(client, task, job_id, "cancelled")


def test_the_failed_job_of_an_import_that_goes_on_can_be_run_again(imported):
    client, _, job_id = imported
    fail(job_id)
    assert client.post(f"{URL}/{job_id}/retry").json["state"] == "pending"
    assert in_place("pending", "imports") == [job_id]


def test_an_import_is_found_when_redis_has_forgotten_its_job(imported):
    client, task, job_id = imported
    jobqueue.connection().delete(f"rq:job:{job_id}")
    assert client.get(f"{URL}/{task}").json["state"] == "pending"
    assert client.get(f"{URL}/{job_id}").status_code == 404
    assert client.post(f"{URL}/{task}/retry").status_code == 409


def test_a_bulk_deletion_agrees_from_its_beginning_to_its_end(deletion):
    client, task, job_id = deletion
    check_deletion(client, task, job_id, "pending")
    bulk_delete.run(uuid.UUID(task))
    check_deletion(client, task, job_id, "completed")
    assert client.get(f"{URL}/{task}").json["result"] == {"deleted_count": 3}


def test_a_bulk_deletion_is_stopped_between_chunks_and_says_what_is_gone(deletion, monkeypatch):
    client, task, job_id = deletion
    monkeypatch.setattr(bulk_delete, "CHUNK", 2)
    assert bulk_delete._delete_chunk(uuid.UUID(task))
    answer = client.delete(f"{URL}/{job_id}")
    assert (answer.status_code, answer.json["error"]) == (202, "Cancelled")
    bulk_delete.run(uuid.UUID(task))
    check_deletion(client, task, job_id, "failed")
    assert client.get("/api/v1/products/stats").json["total"] == 1
    assert client.get(f"/api/v1/products/delete/{task}/status").json["deleted_count"] == 2
    assert client.delete(f"{URL}/{job_id}").status_code == 409


def test_a_page_of_jobs_costs_one_query_for_each_kind(imported, importer):  # noqa: F811
    for _ in range(4):
        importer.submit(CSV)
    asked: list[str] = []
    from sqlalchemy import event

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert len(importer.client.get(f"{URL}?queue=imports").json["items"]) == 5
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 1
