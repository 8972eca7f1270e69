"""The service as a user starts and stops it: real processes, in copies of the project."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time

import psutil
import pytest

from catalog.stack.supervisor import PROGRAMS_GRACE_SECONDS, SERVERS_GRACE_SECONDS
from tests.processes import wait_for

pytestmark = pytest.mark.processes

STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"


def test_two_copies_run_side_by_side_and_a_second_start_changes_nothing(copy, running):
    one, other = copy, running
    one.start()
    assert (one.get("/health/ready"), other.get("/health/ready")) == (200, 200)
    supervisor = one.supervisor

    again = one.run("start")

    assert again.returncode == 0
    assert f"running already: http://127.0.0.1:{one.port}" in again.stdout
    assert one.supervisor == supervisor
    table = one.run("status").stdout
    for process in ("postgres", "redis-queue", "redis-cache", "web", "worker-imports", "worker-default", "clock"):
        assert process in table
    assert one.run("stop").returncode == 0
    assert one.processes == []
    assert one.run("status").returncode == 1
    assert other.get("/health/ready") == 200


def test_after_a_killed_supervisor_the_next_start_finds_all_data_and_clean_deletes_it(copy, orphans):
    copy.start()
    copy.run("init-db")
    before = copy.products
    stubborn, of_another_copy = orphans()

    os.kill(copy.supervisor, signal.SIGKILL)
    copy.start()

    assert copy.products == before == 20
    assert stubborn.wait(10) == -signal.SIGKILL  # it outlived its supervisor, and ignores SIGTERM
    assert of_another_copy.poll() is None
    copy.run("clean", "--yes")
    assert copy.processes == []
    assert list(copy.places.data.iterdir()) == []
    assert not copy.places.apart.exists()


@pytest.fixture
def orphans(copy):
    """Return a function that starts two processes that end by SIGKILL alone: one of this copy, one of another."""
    started = []

    def start():
        for owner in (str(copy.places.data), "/somewhere/else"):
            environment = {**os.environ, "CATALOG_STACK": owner}
            orphan = subprocess.Popen([sys.executable, "-c", STUBBORN], env=environment, stdout=subprocess.PIPE)
            started.append(orphan)
            orphan.stdout.readline()
        return started

    yield start
    for orphan in started:
        orphan.kill()
        orphan.wait()
        orphan.stdout.close()


def test_what_the_processes_write_is_readable_by_their_owner_alone(running):
    assert running.get("/console/imports") == 200  # its folders are made
    assert running.get("/api/v1/products") == 200
    files = [path for path in running.places.data.rglob("*") if stat.S_ISREG(path.lstat().st_mode)]
    assert {"web.log", "postgres.log", "supervisor.log", "state.json"} <= {path.name for path in files}
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    closed = [running.places.data / name for name in ("uploads", "uploads/arrivals", "metrics", "redis-queue")]
    assert [path for path in closed if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.parametrize("name", ["web", "worker-imports", "redis-queue", "postgres"])
def test_a_process_that_dies_is_started_again(running, name):
    died = running.pid_of(name)
    psutil.Process(died).kill()

    wait_for(lambda: running.pid_of(name) not in (died, None))
    wait_for(lambda: running.get("/health/ready") == 200)

    assert f"{name} ended" in running.run("logs", "supervisor").stdout


def test_a_port_in_use_is_named_with_the_way_to_another_one(copy):
    with socket.socket() as other:
        other.bind(("127.0.0.1", copy.port))
        other.listen()
        started = copy.run("start")

    assert started.returncode == 1
    assert f"127.0.0.1:{copy.port}" in started.stdout
    assert f"PORT={copy.port + 1} python3 manage.py start" in started.stdout
    assert copy.processes == []


def test_a_service_that_cannot_start_shows_the_end_of_its_log_and_leaves_nothing(copy):
    (copy.folder / "gunicorn.conf.py").write_text("raise SystemError('the settings are broken')\n")

    started = copy.run("start")

    assert started.returncode == 1
    assert "web ends again and again" in started.stdout
    assert "the settings are broken" in started.stdout
    assert copy.processes == []
    assert copy.run("status").returncode == 1


def test_a_setting_that_cannot_be_read_is_named_at_the_start(copy):
    started = copy.run("start", PORT="a lot")

    assert started.returncode == 1
    assert "PORT" in started.stdout
    assert "Traceback" not in started.stdout


def test_ctrl_c_ends_every_process_in_under_5_seconds_and_in_order(copy):
    foreground = subprocess.Popen(
        [sys.executable, "-m", "catalog.cli", "up"],
        cwd=copy.folder,
        env=copy.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_for(lambda: copy.get("/health/ready") == 200, 60)
        began = time.monotonic()
        os.killpg(foreground.pid, signal.SIGINT)
        shown, _ = foreground.communicate(timeout=30)
        seconds = time.monotonic() - began
    finally:
        foreground.kill()

    assert PROGRAMS_GRACE_SECONDS + SERVERS_GRACE_SECONDS < 5  # then whatever still runs is killed
    assert seconds < 15  # a busy machine takes longer over it
    assert foreground.returncode == 0, shown.decode()
    assert b"Listening at" in shown
    assert copy.processes == []
    assert "database system is shut down" in (copy.places.logs / "postgres.log").read_text()


def test_fresh_starts_anew_with_the_samples_of_an_empty_catalog(running):
    running.run("init-db")
    assert running.products == 20

    assert running.run("fresh").returncode == 0

    assert running.products == 5


def test_importing_without_a_running_service_says_how_to_start_it(copy):
    file = copy.folder / "products.csv"
    file.write_text("sku,name\nA,Lamp\n")

    failed = copy.run("import", str(file))

    assert failed.returncode == 1
    assert "manage.py start" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_an_unknown_verb_is_answered_with_the_nearest(copy):
    answered = copy.run("strat")

    assert answered.returncode == 2
    assert "Did you mean `start`?" in answered.stdout
