"""Redis refused, hung, full, restarted: reads and writes go on, and nothing from before is served after."""

import signal
import threading
import time

import pytest

from catalog import cache
from catalog.cache import BYPASS, HIT, MISS, client, trust, writes
from catalog.cache.client import Client, Unreachable, pack
from catalog.products import service
from tests.cache.steps import in_context, rows, set_stock_unseen, stock
from tests.processes import wait_for

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


def test_later_writes_of_an_outage_neither_wait_nor_add_rows(product, server):
    server.kill()
    service.update(product, {"stock_quantity": 2})
    began = time.monotonic()
    for quantity in range(3, 8):
        service.update(product, {"stock_quantity": quantity})
    assert time.monotonic() - began < writes.UNTIL_NOBODY_TRUSTS
    assert lost() == ["outage"]


def test_a_cache_that_comes_back_is_used_again_once_it_is_repaired(product, server):
    server.kill()
    service.update(product, {"stock_quantity": 2})
    assert cache.sweep() == 0
    server.start()
    wait_for(cache.sweep, 2)
    wait_for(lambda: hits_again(product), 2)
    assert stock(product) == (2, HIT)
    assert lost() == []


def test_a_redis_that_hung_serves_nothing_from_before(product, server):
    stock(product)
    server.send(signal.SIGSTOP)
    service.update(product, {"stock_quantity": 2})
    server.send(signal.SIGCONT)
    assert stock(product)[0] == 2
    wait_for(cache.sweep, 3)
    wait_for(lambda: hits_again(product), 3)
    assert stock(product) == (2, HIT)


def test_another_process_that_noticed_no_outage_reads_nothing_old(product, cached_app, server, monkeypatch):
    """Only the writer fails to reach Redis; the readers' trust runs out before the write is answered."""
    stock(product)
    monkeypatch.setattr(cache.current().writer, "_client", Client("unix:///nowhere"))
    service.update(product, {"stock_quantity": 2})
    assert stock(product) == (2, BYPASS)
    monkeypatch.undo()
    assert cache.sweep() == 1
    wait_for(lambda: hits_again(product), 2)
    assert stock(product) == (2, HIT)


def test_while_an_invalidation_is_lost_nobody_trusts_the_cache(product, writer):
    stock(product)
    row = writes.Invalidation(writer, ["product:x"])
    raw = cache.current().engine.raw_connection()
    row.before_commit(raw)
    raw.commit()
    raw.close()
    writer.set_state(row._row, "lost")
    wait_for(lambda: stock(product)[1] == BYPASS, 2)


def test_a_redis_restarted_from_an_old_dump_serves_none_of_it(product, server, direct):
    stock(product)
    direct.persist("catalog:trust")
    direct.save()
    set_stock_unseen(product, 2)
    server.kill()
    server.start()
    wait_for(lambda: stock(product)[1] != BYPASS, 3)
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
    wait_for(cache.sweep, 3)
    wait_for(lambda: hits_again(product), 2)
    assert stock(product)[0] == 2


def test_a_hung_redis_delays_the_first_read_by_its_timeout_and_the_others_not_at_all(product, server):
    stock(product)
    server.send(signal.SIGSTOP)
    delays = []
    ends = time.monotonic() + 2.5
    while time.monotonic() < ends:
        began = time.monotonic()
        stock(product)
        delays.append(time.monotonic() - began)
    slow = sorted(delay for delay in delays if delay > 0.05)
    assert len(slow) <= 4  # the first, and a probe a second
    assert slow[-1] < client.REPLY_SECONDS + 0.15
    assert all(delay < client.PROBE_SECONDS + 0.1 for delay in slow[:-1])


def test_the_breaker_probes_at_most_once_a_second_however_many_ask(server, monkeypatch):
    server.kill()
    probes = []
    connect = client.Link.__init__

    def counting(self, *arguments):
        probes.append(time.monotonic())
        connect(self, *arguments)

    monkeypatch.setattr(client.Link, "__init__", counting)
    one = Client(server.url)
    ends = time.monotonic() + 2.5

    def ask():
        while time.monotonic() < ends:
            with pytest.raises(Unreachable):
                one.call(pack("PING"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later = [moment for moment in probes if moment > probes[0] + 0.5]
    assert 1 <= len(later) <= 2


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
    threads = [threading.Thread(target=in_context(cached_app, lambda: seen.append(stock(product)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(1, BYPASS)] * 8


def test_a_miss_after_the_outage_fills_again(product, server):
    server.kill()
    assert stock(product)[1] == BYPASS
    server.start()
    wait_for(lambda: stock(product)[1] == MISS, 3)
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
    wait_for(cache.sweep, 2)
    assert (cache.present_state().waiting, cache.present_state().oldest_seconds) == (0, 0.0)


def test_the_state_with_redis_away_and_nothing_written_is_that_nobody_has_looked(product, server):
    server.kill()
    assert cache.present_state() == cache.State(on=True)
