"""Clients find the master, and after a failover the next one; a server that was replaced is not believed."""

import signal

import pytest
import redis

from catalog import redisurl
from catalog.cache import protocol
from catalog.cache.client import Client, Unreachable, pack
from catalog.cache.trust import Trust
from catalog.cache.writes import Writer
from catalog.extensions import db
from tests.processes import free_port, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def client(cluster):
    return Client(cluster.url("cache"))


def port(client):
    return client.link().master[1]


def test_both_kinds_of_clients_speak_to_the_master_in_their_database(cluster, client):
    client.call(pack("SET", "kind", "ours"))
    library = redisurl.client(cluster.url("cache"))
    assert library.get("kind") == b"ours"
    assert port(client) == cluster.master("cache").port
    numbered = Client(cluster.url("cache", number=3))
    assert numbered.call(pack("GET", "kind")) is None


def test_after_a_failover_both_find_the_new_master(cluster, client):
    library = redisurl.client(cluster.url("cache"), retry=redisurl.through_a_failover())
    client.call(pack("SET", "before", "1"))
    library.set("before", "1")
    old = port(client)
    new = cluster.fail_over("cache")
    assert new.port != old
    wait_for(lambda: writes(client) and port(client) == new.port, 30)  # the old one lives, until Sentinel demotes it
    library.set("after", "1")
    assert new.client().get("after") == b"1"


def writes(client):
    try:
        return client.call(pack("SET", "after", "1")) == b"OK"
    except Unreachable:
        return False


def test_a_sentinel_that_is_away_is_passed_over(cluster):
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{cluster.watchers[0].port}"
    assert Client(f"redis+sentinel://{hosts}/cache/0").call(pack("PING")) == b"PONG"


@pytest.mark.parametrize("service", ["cache", "nowhere"])
def test_without_a_sentinel_or_a_master_the_server_is_unreachable_at_once(cluster, service):
    hosts = f"127.0.0.1:{cluster.watchers[0].port if service == 'nowhere' else free_port()}"
    url = f"redis+sentinel://{hosts}/{service}/0"
    with pytest.raises(Unreachable):
        Client(url).call(pack("PING"))
    with pytest.raises(redis.ConnectionError):
        redisurl.client(url, retry=redisurl.at_once()).ping()


def test_a_server_that_sentinel_does_not_take_for_the_master_any_more_is_not_spoken_to(cluster, client):
    server = redisurl.server(cluster.url("cache"))
    replica = cluster.other("cache")
    wait_for(lambda: replica.client().info("replication")["role"] == "slave", 30)
    found = server.master()
    try:
        server.master = lambda: ("127.0.0.1", replica.port)
        with pytest.raises(Unreachable, match="not the master"):
            client.call(pack("PING"))
    finally:
        del server.master
    assert server.master() == found


@pytest.fixture
def replaced(cluster, client):
    """A master that hung while another took its place, and woke up; Sentinel has not demoted it yet."""
    hung = cluster.master("cache")
    client.call(pack("PING"))  # so that there is a connection to it
    hung.send(signal.SIGSTOP)
    try:
        wait_for(lambda: all(cluster.sees_another(watcher, "cache", hung) for watcher in cluster.watchers), 30)
    finally:
        hung.send(signal.SIGCONT)
    return hung


@pytest.fixture
def engine(committed):
    with committed.app_context():
        return db.engine


def test_a_server_that_was_replaced_is_not_trusted(cluster, client, replaced, engine):
    trust = Trust(client, protocol.Keys("test"), engine)
    assert port(client) == replaced.port
    with pytest.raises(Unreachable, match="do not take"):
        trust.renew()
    wait_for(lambda: believed(trust), 30)
    assert port(client) == cluster.master("cache").port


def test_what_a_server_forgot_that_was_replaced_does_not_count(cluster, client, replaced, engine):
    writer = Writer(client, protocol.Keys("test"), engine)
    assert port(client) == replaced.port
    assert not writer.clear(["product:1"], ["F1"])
    wait_for(lambda: writer.clear(["product:1"], ["F1"]), 30)
    assert port(client) == cluster.master("cache").port


def believed(trust):
    try:
        return trust.renew()
    except Unreachable:
        return False
