"""Jobs of one test: its queues are empty when it begins and when it ends."""

import pytest

from catalog import jobqueue
from catalog.jobs import records


def forget_all_jobs() -> None:
    connection = jobqueue.connection()
    for key in connection.scan_iter("rq:*", count=10_000):
        connection.delete(key)


@pytest.fixture
def queues(app):
    """Empty queues, of which no worker takes anything."""
    with app.app_context():
        forget_all_jobs()
        yield
        forget_all_jobs()


@pytest.fixture
def submitted(queues, client):
    """Submit test jobs through the API and return their ids."""

    def submit(**body) -> str:
        answer = client.post("/api/v1/jobs/test", json=body)
        assert answer.status_code == 202, answer.json
        return answer.json["task_id"]

    return submit


def in_place(state: str, queue: str = "default") -> list[str]:
    """Return the ids of the jobs that RQ keeps in one place."""
    found, _ = records.page([records.Place(queue, state)], 100, 0)
    return [job.id for job in found]
