"""An import as its users see it: over HTTP, through RQ, with a clock, and with a worker that is killed."""

import contextlib
import io
import os
import signal

import psutil
import pytest
import requests

from tests.forked import running
from tests.processes import served, wait_for

pytestmark = pytest.mark.processes
HEADER = "sku,name,price\n"


@pytest.fixture(scope="module")
def server(environment):
    """The web server and the clock; the workers come and go."""
    with served(environment) as url, running(environment, "catalog.cli", "clock"):
        yield url


@pytest.fixture
def address(committed, server):
    return server


def worker(environment):
    return running(environment, "catalog.cli", "worker", "imports")


def upload(address: str, text: str) -> str:
    answer = requests.post(
        f"{address}/api/v1/products/upload", files={"file": ("p.csv", io.BytesIO(text.encode()))}, timeout=30
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


def status(address: str, task: str) -> dict:
    return requests.get(f"{address}/api/v1/products/upload/{task}/status", timeout=10).json()


def ended(address: str, task: str) -> dict | None:
    now = status(address, task)
    return now if now["state"] in ("Completed", "Failed", "Cancelled") else None


def kill_with_children(process) -> None:
    for victim in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(victim.pid, signal.SIGKILL)


def test_rejected_rows_come_back_as_a_file_that_can_be_mended_and_imported(address, environment):
    with worker(environment):
        task = upload(address, HEADER + 'A,Lamp,5\nB,"Desk, oak",cheap\nC,Chair,"1,5"\nD,,3\n')
        assert wait_for(lambda: ended(address, task))["errors"] == 3
        refused = requests.get(f"{address}/api/v1/imports/{task}/errors.csv", timeout=10)
        assert refused.status_code == 200
        assert refused.text.splitlines()[0] == "_line,_field,_error,sku,name,price"
        mended = refused.text.replace("cheap", "7").replace('"1,5"', "1.5").replace("D,,", "D,Door,")
        again = upload(address, mended)
        outcome = wait_for(lambda: ended(address, again))
    assert (outcome["created"], outcome["errors"]) == (3, 0)
    assert requests.get(f"{address}/api/v1/products/by-sku/b", timeout=5).json()["name"] == "Desk, oak"


def test_an_upload_waits_for_a_worker_that_comes_later(address, environment):
    task = upload(address, HEADER + "A,Lamp,5\n")
    assert status(address, task)["state"] == "Pending"
    with worker(environment):
        assert wait_for(lambda: ended(address, task))["created"] == 1


def test_an_import_whose_worker_is_killed_is_finished_by_the_next_one(address, environment):
    rows = 60_000
    task = upload(address, HEADER + "".join(f"S-{n},Name {n},{n}.50\n" for n in range(1, rows + 1)))
    with worker(environment) as first:
        wait_for(lambda: status(address, task)["created"])
        kill_with_children(first)
    assert 0 < status(address, task)["created"] < rows
    with worker(environment):
        outcome = wait_for(lambda: ended(address, task), seconds=60)
    assert (outcome["state"], outcome["created"], outcome["updated"], outcome["errors"]) == ("Completed", rows, 0, 0)
    assert requests.get(f"{address}/api/v1/products/stats", timeout=5).json()["total"] == rows
