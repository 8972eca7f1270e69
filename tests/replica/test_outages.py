"""A replica that is behind, down, hung or none at all: the primary answers, soon, and the service stays ready."""

import signal
import time

import pytest
from sqlalchemy import text

from catalog import replica
from catalog.replica.watch import PATIENCE_SECONDS, TICK_SECONDS
from tests.processes import wait_for
from tests.replica.conftest import LONGEST_LAG
from tests.replica.test_reads import add, count, lag, names

pytestmark = pytest.mark.processes

NOTICED = 5 * (TICK_SECONDS + PATIENCE_SECONDS)  # on a machine that is busy


def listed(client):
    answer = client.get("/api/v1/products")
    assert answer.status_code == 200
    return answer


def dependency(client):
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    return answer.json["status"], answer.json["dependencies"]["replica"]


def test_a_replica_that_is_too_far_behind_is_left_out_until_it_has_caught_up(
    replicated, writer, reader, standby, monkeypatch
):
    monkeypatch.setattr(replica.of(replicated).watch, "_longest_lag", LONGEST_LAG)
    standby.pause()
    add(writer)
    wait_for(lambda: lag(listed(reader)) is None, LONGEST_LAG + 20)
    assert names(listed(reader)) == ["Lamp"]
    before = count("behind")
    listed(reader)
    assert count("behind") == before + 1
    standby.resume()
    wait_for(lambda: lag(listed(reader)), 10)
    assert names(listed(reader)) == ["Lamp"]


def test_the_lag_that_is_told_grows_with_the_age_of_what_is_shown(reader, standby):
    standby.pause()
    first = float(lag(listed(reader)))
    wait_for(lambda: (lag(listed(reader)) or "0") > str(first + 1), 5)


def test_while_nobody_writes_the_replica_is_not_taken_for_one_that_is_behind(replicated, reader):
    with replicated.app_context():
        from catalog.extensions import db

        with db.engine.connect() as connection:  # what a read may leave in the WAL: not flushed, and no commit follows
            connection.execute(text("SELECT pg_logical_emit_message(false, 'test', repeat('x', 20000), false)"))
    ends = time.monotonic() + LONGEST_LAG + 1
    seen = []
    wait_for(lambda: seen.append(lag(listed(reader))) or time.monotonic() > ends, LONGEST_LAG + 20)
    assert all(each and float(each) < LONGEST_LAG for each in seen)


def test_a_replica_that_is_killed_costs_no_answer_and_is_read_again_when_it_is_back(writer, reader, standby):
    add(writer)
    standby.kill()
    assert names(listed(reader)) == ["Lamp"]
    status, found = dependency(reader)
    assert (status, found["status"]) == ("degraded", "unavailable")
    standby.start()
    wait_for(lambda: lag(listed(reader)), 10)
    assert dependency(reader)[1]["status"] == "ok"


def test_a_hung_replica_delays_the_read_at_hand_for_a_bounded_time_and_no_later_one(writer, reader, standby):
    add(writer)
    assert lag(listed(reader))
    standby.send(signal.SIGSTOP)
    stop_sessions(standby, signal.SIGSTOP)
    started = time.monotonic()
    assert names(listed(reader)) == ["Lamp"]
    first = time.monotonic() - started
    started = time.monotonic()
    assert names(listed(reader)) == ["Lamp"]
    assert dependency(reader)[1]["status"] == "unavailable"
    second = time.monotonic() - started
    stop_sessions(standby, signal.SIGCONT)
    print(f"a hung replica: {first:.2f} s, then {second:.2f} s")
    assert first < NOTICED
    assert second < first  # which waited for it
    standby.send(signal.SIGCONT)
    wait_for(lambda: lag(listed(reader)), 10)


def test_a_lock_that_the_replica_replays_and_keeps_holds_nobody_up(replicated, reader, standby):
    from catalog.extensions import db

    add(reader)
    with replicated.app_context(), db.engine.begin() as connection:
        connection.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text("SELECT pg_current_xact_id()"))
        wait_for(lambda: locked(standby), 10)
        standby.pause()
    started = time.monotonic()
    assert names(listed(reader)) == ["Lamp"]
    assert time.monotonic() - started < 10  # a third of what a statement may take


def locked(standby):
    return standby.ask("SELECT count(*) FROM pg_locks WHERE relation = 'products'::regclass AND granted")


def stop_sessions(standby, number):
    """Stop or continue what the replica's server process has started, which a signal to it alone does not reach."""
    import psutil

    for session in psutil.Process(standby.pid).children():
        session.send_signal(number)


def test_a_server_that_is_no_replica_of_this_database_is_left_out(migrated, primary, reader, replicated):
    watch = replica.watch.Watch(replica.of(replicated).watch._primary, made(primary.url), LONGEST_LAG)
    assert not watch.state(wait_seconds=5).usable
    watch.stop()


def test_a_service_that_starts_without_its_replica_reads_the_primary(migrated, primary):
    nowhere = made("postgresql+psycopg2://postgres@127.0.0.1:1/catalog")
    watch = replica.watch.Watch(made(primary.url), nowhere, LONGEST_LAG)
    state = watch.state(wait_seconds=5)
    assert (state.usable, state.lag) == (False, None)
    watch.stop()


def made(url):
    from sqlalchemy import create_engine

    return create_engine(url)


def test_without_a_replica_health_names_none(client):
    assert "replica" not in client.get("/health/ready").json["dependencies"]


@pytest.mark.parametrize("value", ["0.5", "-1", "soon"])
def test_a_lag_that_cannot_be_kept_to_is_refused(monkeypatch, value):
    from catalog import config

    monkeypatch.setenv("DATABASE_REPLICA_MAX_LAG_SECONDS", value)
    with pytest.raises(config.ConfigError, match="DATABASE_REPLICA_MAX_LAG_SECONDS"):
        config.load()
