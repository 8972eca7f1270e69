"""Two processes under gunicorn: what one has written is not missed through the other, and outages cost no answer."""

import re
import signal
import threading
from collections.abc import Iterator

import pytest
import requests

from tests.processes import served, threads, wait_for
from tests.replica.conftest import LONGEST_LAG
from tests.replica.test_outages import stop_sessions

pytestmark = pytest.mark.processes

CALLERS = 4
WRITES = 25


@pytest.fixture
def url(migrated, replicated, following) -> Iterator[str]:
    settings = {
        "DATABASE_REPLICA_URL": following.url,
        "DATABASE_REPLICA_MAX_LAG_SECONDS": str(LONGEST_LAG),
        "TRUSTED_PROXIES": "1",  # so that callers have addresses of their own
    }
    with served({**migrated, **settings}, workers=2) as url:
        wait_for(lambda: all("X-Replica-Lag" in listed(url, "127.0.9.9").headers for _ in range(8)), 20)
        yield url


def listed(url: str, caller: str, **query: str) -> requests.Response:
    """Return the list on a new connection, which any process may get."""
    answer = requests.get(f"{url}/api/v1/products", query, headers={"X-Forwarded-For": caller}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer


def test_nobody_misses_a_write_of_its_own_whichever_process_took_it(url, standby):
    standby.pause()
    missed, stopping = [], threading.Event()

    def write(number: int) -> None:
        caller = f"127.0.1.{number + 1}"
        for count in range(WRITES):
            name = f"Lamp {number} {count}"
            sent = {"json": {"name": name}, "headers": {"X-Forwarded-For": caller}, "timeout": 10}
            requests.post(f"{url}/api/v1/products", **sent).raise_for_status()
            if name not in listed(url, caller, name=name).text:  # by name: the list has 20, and others write too
                missed.append(name)

    with threads(CALLERS, write, stopping):
        pass
    assert missed == []
    assert "Lamp" in listed(url, "127.0.1.1").text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_replica_that_goes_away_under_load_costs_no_answer(url, standby, number):
    failed, answered, stopping = [], [], threading.Event()

    def read(caller: int) -> None:
        while not stopping.is_set():
            try:
                answered.append(listed(url, f"127.0.2.{caller + 1}").elapsed.total_seconds())
            except (requests.RequestException, AssertionError) as error:
                failed.append(str(error))

    with threads(CALLERS, read, stopping):
        wait_for(lambda: len(answered) > 50, 20)
        if number == signal.SIGKILL:
            standby.kill()
        else:
            standby.send(number)
            stop_sessions(standby, number)
        seen = len(answered)
        wait_for(lambda: len(answered) > seen + 100, 20)
        if number == signal.SIGSTOP:
            stop_sessions(standby, signal.SIGCONT)
    print(f"{len(answered)} lists, {len(failed)} failed, the slowest took {max(answered):.2f} s")
    assert failed == []
    assert max(answered) < 9
    counted = requests.get(f"{url}/metrics", timeout=5).text
    by = {name: float(value) for name, value in re.findall(r'catalog_replica_reads_total{by="(\w+)"} (\S+)', counted)}
    assert by["replica"] > 50
    assert by["failed"] + by["unknown"] + by["behind"] > 0
    assert "catalog_replica_lag_seconds" in counted


def test_the_health_check_tells_how_the_replica_is(url):
    found = requests.get(f"{url}/health/ready", timeout=5).json()["dependencies"]["replica"]
    assert found["status"] == "ok"
    assert 0 <= found["lag_seconds"] <= LONGEST_LAG
    assert found["milliseconds"] < 1000
