"""Jobs with a real worker: progress, stop, failure, retry, and the worker's own entry."""

import pytest
import requests

from tests.jobs.conftest import forget_all_jobs
from tests.processes import running, served, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def url(committed, environment):
    """The jobs API of a real server, with a worker on the default queue."""
    with committed.app_context():
        forget_all_jobs()
    with running(environment, "-m", "catalog.cli", "worker", "default"), served(environment) as address:
        yield f"{address}/api/v1/jobs"
    with committed.app_context():
        forget_all_jobs()


def submit(url: str, **body) -> str:
    return requests.post(f"{url}/test", json=body, timeout=5).json()["task_id"]


def get(url: str, task: str) -> dict:
    return requests.get(f"{url}/{task}", timeout=5).json()


def wait_in(url: str, task: str, state: str) -> dict:
    return wait_for(lambda: (job := get(url, task))["state"] == state and job)


def test_jobs_run_show_progress_are_stopped_fail_and_are_run_again(url):
    done = wait_in(url, submit(url), "completed")
    assert (done["percent"], done["status"], done["result"]["seconds"]) == (100, "SUCCESS", 0)
    assert done["started_at"] <= done["ended_at"]

    slow = submit(url, seconds=60)
    seen = wait_for(lambda: (job := get(url, slow))["percent"] and job)
    assert (seen["state"], seen["status"]) == ("running", "PROGRESS")
    assert seen["message"].endswith("of 60 s passed")
    (worker,) = requests.get(f"{url}/workers", timeout=5).json()["items"]
    assert (worker["name"], worker["current_job"]) == (seen["worker"], slow)
    assert (worker["queue"], worker["state"], worker["alive"]) == ("default", "busy", True)
    assert worker["pid"] > 1
    assert worker["host"]
    assert worker["last_heartbeat"].endswith("Z")
    assert worker["jobs_done"] == 1

    assert requests.delete(f"{url}/{slow}", timeout=5).status_code == 202
    stopped = wait_in(url, slow, "stopped")
    assert (stopped["status"], stopped["result"]) == ("FAILURE", None)
    assert requests.delete(f"{url}/{slow}", timeout=5).status_code == 409

    failing = submit(url, fail=True)
    assert wait_in(url, failing, "failed")["error"] == "The test job failed, as it was asked to."
    listed = requests.get(f"{url}?state=failed", timeout=5).json()
    assert {job["id"]: job["state"] for job in listed["items"]} == {slow: "stopped", failing: "failed"}

    assert requests.post(f"{url}/{failing}/retry", timeout=5).status_code == 202
    wait_for(lambda: requests.get(f"{url}/workers", timeout=5).json()["items"][0]["jobs_failed"] == 3)
    assert wait_in(url, failing, "failed")["error"]
