"""Redis refused, hung, full, restarted: reads and writes go on, and nothing from before is served after."""

import itertools
import signal
import socket
import struct
import threading
import time
from types import SimpleNamespace

import pytest

from catalog import cache
from catalog.cache import BYPASS, HIT, MISS, client, trust, writes
from catalog.cache.client import Client, Unreachable, pack
from catalog.products import service
from tests.cache.steps import in_context, rows, set_stock_unseen, stock
from tests.processes import threads, wait_for

pytestmark = pytest.mark.usefixtures("cached_app")


def hits_again(product_id) -> bool:
    return stock(product_id)[1] == HIT


def lost() -> list[str]:
    return [state for state in rows() if state != "fenced"]


def test_without_redis_reads_and_writes_go_on(product, server):
    server.kill()
    assert stock(product) == (1, BYPASS)
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, BYPASS)


def test_a_lost_invalidation_is_a_row_and_the_write_waits_until_nobody_trusts_the_cache(product, server):
    stock(product)
    server.kill()
    began = time.monotonic()
    service.update(product, {"stock_quantity": 2})
    assert time.monotonic() - began >= trust.TRUST_SECONDS
    assert lost() == ["outage"]


def test_later_writes_of_an_outage_neither_wait_nor_add_rows(product, server, monkeypatch):
    server.kill()
    slept = []
    monkeypatch.setattr(writes, "time", SimpleNamespace(sleep=slept.append))
    for quantity in range(2, 8):
        service.update(product, {"stock_quantity": quantity})
    assert slept == [writes.UNTIL_NOBODY_TRUSTS]  # the first
    assert lost() == ["outage"]


def test_a_cache_that_comes_back_is_used_again_once_it_is_repaired(product, server):
    server.kill()
    service.update(product, {"stock_quantity": 2})
    assert cache.sweep() == 0
    server.start()
    wait_for(cache.sweep, 20)
    wait_for(lambda: hits_again(product), 20)
    assert stock(product) == (2, HIT)
    assert lost() == []


def test_a_redis_that_hung_serves_nothing_from_before(product, server):
    stock(product)
    server.send(signal.SIGSTOP)
    service.update(product, {"stock_quantity": 2})
    server.send(signal.SIGCONT)
    assert stock(product)[0] == 2
    wait_for(cache.sweep, 20)
    wait_for(lambda: hits_again(product), 20)
    assert stock(product) == (2, HIT)


def test_another_process_that_noticed_no_outage_reads_nothing_old(product, cached_app, server, monkeypatch):
    """Only the writer fails to reach Redis; the readers' trust runs out before the write is answered."""
    stock(product)
    monkeypatch.setattr(cache.current().writer, "_client", Client("unix:///nowhere"))
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, BYPASS)
    monkeypatch.undo()
    assert cache.sweep() == 1
    wait_for(lambda: hits_again(product), 20)
    assert stock(product) == (2, HIT)


def test_while_an_invalidation_is_lost_nobody_trusts_the_cache(product, writer):
    stock(product)
    row = writes.Invalidation(writer, ["product:x"])
    raw = cache.current().engine.raw_connection()
    row.before_commit(raw)
    raw.commit()
    raw.close()
    writer.set_state(row._row, "lost")
    wait_for(lambda: stock(product)[1] == BYPASS, 20)


def test_a_redis_restarted_from_an_old_dump_serves_none_of_it(product, server, direct):
    stock(product)
    direct.persist("catalog:trust")
    direct.save()
    set_stock_unseen(product, 2)
    server.kill()
    server.start()
    wait_for(lambda: stock(product)[1] != BYPASS, 20)
    assert stock(product)[0] == 2
    direct.flushall()
    direct.save()


def test_a_full_redis_breaks_neither_reads_nor_writes(product, direct):
    stock(product)
    direct.config_set("maxmemory-policy", "noeviction")
    direct.config_set("maxmemory", "1")
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, BYPASS)
    assert lost() == ["outage"]


def test_a_read_only_redis_breaks_neither_reads_nor_writes(product, direct):
    stock(product)
    direct.replicaof("127.0.0.1", "1")
    service.update(product, {"stock_quantity": 2})
    assert stock(product)[0] == 2
    direct.replicaof("NO", "ONE")
    wait_for(cache.sweep, 20)
    wait_for(lambda: hits_again(product), 20)
    assert stock(product)[0] == 2


@pytest.fixture
def waits(monkeypatch) -> list[tuple[float, float]]:
    """Who waits for Redis from now on: when, and for how long at most. A busy machine delays everyone."""
    found = []
    call, connect = client.Link.call, client.Link.__init__

    def calling(self, packed):
        allowed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        found.append((time.monotonic(), round(struct.unpack("@ll", allowed)[1] / 1e6, 2)))  # the kernel rounds up
        return call(self, packed)

    def connecting(self, server, seconds):
        found.append((time.monotonic(), seconds))
        connect(self, server, seconds)

    monkeypatch.setattr(client.Link, "call", calling)
    monkeypatch.setattr(client.Link, "__init__", connecting)
    return found


def test_a_hung_redis_delays_the_first_read_by_its_timeout_and_the_others_not_at_all(product, server, waits):
    stock(product)
    server.send(signal.SIGSTOP)
    waits.clear()
    reads = []
    wait_for(lambda: reads.append(stock(product)) or len(waits) == 3)
    assert [allowed for _, allowed in waits] == [client.REPLY_SECONDS, client.PROBE_SECONDS, client.PROBE_SECONDS]
    assert (client.REPLY_SECONDS, client.PROBE_SECONDS) == (0.25, 0.1)
    assert len(reads) > 3
    assert set(reads) == {(1, BYPASS)}


def test_the_breaker_probes_at_most_once_a_second_however_many_ask(server, waits):
    one = Client(server.url)
    server.kill()
    with pytest.raises(Unreachable):
        one.call(pack("PING"))
    stopping = threading.Event()

    def ask(_):
        while not stopping.is_set():
            with pytest.raises(Unreachable):
                one.call(pack("PING"))

    with threads(4, ask, stopping):
        wait_for(lambda: len(waits) == 3)
    moments = [moment for moment, _ in waits]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(gap >= client.PROBE_EVERY_SECONDS * 0.99 for gap in gaps)
    assert client.PROBE_EVERY_SECONDS == 1.0


def test_a_call_that_is_broken_off_does_not_leave_its_reply_to_the_next(server):
    one = Client(server.url)
    link = one.link()

    class Interrupted(BaseException):
        pass

    def interrupted():
        raise Interrupted

    link._reply = interrupted
    with pytest.raises(Interrupted):
        one.call(pack("ECHO", "first"))
    assert one.call(pack("ECHO", "second")) == b"second"


def test_a_connection_that_was_closed_meanwhile_is_renewed(product, direct):
    stock(product)
    direct.client_kill_filter(_type="normal", skipme=True)
    assert stock(product) == (1, HIT)


def test_a_forked_child_makes_connections_of_its_own(server):
    one = Client(server.url)
    parent = one.link()
    one._forget()  # what the fork does in the child
    assert one.link() is not parent


def test_a_cache_that_is_switched_off_makes_those_that_use_it_go_round_it(product, cached_app, monkeypatch):
    stock(product)
    off = writes.Writer(None, cache.protocol.Keys("catalog"), cache.current().engine)
    monkeypatch.setattr(cache.current(), "writer", off)
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, BYPASS)
    assert lost() == ["outage"]


def test_many_readers_of_a_hung_redis_all_get_their_answer(product, cached_app, server):
    server.send(signal.SIGSTOP)
    seen = []
    readers = [threading.Thread(target=in_context(cached_app, lambda: seen.append(stock(product)))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert seen == [(1, BYPASS)] * 8


def test_a_miss_after_the_outage_fills_again(product, server):
    server.kill()
    assert stock(product)[1] == BYPASS
    server.start()
    wait_for(lambda: stock(product)[1] == MISS, 20)
    assert stock(product)[1] == HIT


def test_a_row_that_comes_to_stand_for_later_writes_while_it_is_swept_stays(product, writer, monkeypatch):
    """The sweep has read `lost` and clears those names, while the writer ends its wait and another one joins."""
    monkeypatch.setattr(writer, "_client", Client("unix:///nowhere"))
    monkeypatch.setattr(writes.Invalidation, "after_commit", lambda self: None)
    service.update(product, {"stock_quantity": 2})
    monkeypatch.undo()
    clear = writer.clear

    def clear_and_meanwhile(*arguments):
        with cache.current().engine.begin() as connection:
            connection.exec_driver_sql("UPDATE cache_invalidations SET state = 'outage' WHERE state = 'lost'")
        return clear(*arguments)

    monkeypatch.setattr(writer, "clear", clear_and_meanwhile)
    cache.sweep()
    assert lost() == ["outage"]
    cache.sweep()
    assert lost() == []


def test_the_state_tells_for_how_long_an_invalidation_waits_and_when_the_cache_was_found_right(product, server):
    stock(product)
    healthy = cache.present_state()
    assert (healthy.on, healthy.waiting, healthy.oldest_seconds) == (True, 0, 0.0)
    assert 0 <= healthy.checked_seconds <= trust.TRUST_SECONDS
    server.kill()
    service.update(product, {"stock_quantity": 2})
    behind = cache.present_state()
    assert (behind.waiting, behind.checked_seconds) == (1, None)
    assert behind.oldest_seconds >= trust.TRUST_SECONDS
    assert wait_for(lambda: cache.present_state().oldest_seconds > behind.oldest_seconds)
    server.start()
    wait_for(cache.sweep, 20)
    assert (cache.present_state().waiting, cache.present_state().oldest_seconds) == (0, 0.0)


def test_the_state_with_redis_away_and_nothing_written_is_that_nobody_has_looked(product, server):
    server.kill()
    assert cache.present_state() == cache.State(on=True)
