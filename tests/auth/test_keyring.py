"""What a process knows of the keys: how fast, for how long, and what strangers can cost it."""

import statistics
import threading
import time
import timeit

import pytest
import requests
from sqlalchemy import create_engine, event, text

from catalog import access
from catalog.auth import keyring as keyrings
from catalog.auth import service, uses
from catalog.errors import Unauthorized, Unavailable
from catalog.extensions import db
from catalog.http import Blueprint
from tests.auth.conftest import SERVED, ago, bearer, believed_for, key_id
from tests.processes import served, wait_for

NO_DATABASE = "/api/v1/transforms"  # asks for the scope `imports`, and no database
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def keyring(production):
    return keyrings.of(production)


@pytest.fixture
def statements(keyring):
    """Return what the keyring has asked its database, as (statement, thread)."""
    found = []

    def note(_connection, _cursor, statement, *_):
        found.append((statement, threading.current_thread().name))

    event.listen(keyring._engine, "before_cursor_execute", note)
    yield found
    event.remove(keyring._engine, "before_cursor_execute", note)


@pytest.fixture
def clock(monkeypatch):
    """A clock for the keyring that stands still and can be moved."""

    class Clock:
        ahead = 0.0

        def monotonic(self):
            return self.ahead

        def time(self):
            return begun + self.ahead

    begun = time.time()

    clock = Clock()
    monkeypatch.setattr(keyrings, "time", clock)
    return clock


def no_database(keyring):
    keyring._engine = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")


def test_a_known_key_is_checked_within_20_microseconds(keyring, new_key):
    key = new_key("products:read")
    keyring(key, "127.0.0.1")
    runs = timeit.repeat(lambda: keyring(key, "127.0.0.1"), number=500, repeat=20)
    assert statistics.median(sorted(runs)[:5]) / 500 <= 20e-6  # the calmest: other tests run beside this one


def test_strangers_do_not_reach_the_database(keyring, new_key, statements):
    key = new_key("products:read")
    for number in range(1_000):
        for made_up in (f"{key[:-8]}{number:08x}", f"cat_live_{number:012}_{'a' * 32}{number:08x}", "x" * number):
            with pytest.raises(Unauthorized):
                keyring(made_up, "127.0.0.1")
    assert statements == []


def test_a_key_that_there_never_was_or_that_is_no_longer_is_looked_up_once(keyring, statements):
    key = keyring.signer.new().text
    for _ in range(100):
        with pytest.raises(Unauthorized):
            keyring(key, "127.0.0.1")
    assert len(statements) == 1


def test_no_more_keys_are_remembered_than_there_is_room_for(keyring, monkeypatch):
    monkeypatch.setattr(keyrings, "MOST_KNOWN", 10)
    for _ in range(25):
        with pytest.raises(Unauthorized):
            keyring(keyring.signer.new().text, "127.0.0.1")
    assert len(keyring._known) <= 10


def test_a_known_key_is_looked_up_again_by_one_request_while_the_others_go_on(keyring, new_key, statements, clock):
    key = new_key("tasks")
    for ahead, looked_up in ((0, 1), (1.9, 1), (2.1, 2), (2.2, 2), (4.2, 3)):
        clock.ahead = ahead
        keyring(key, "127.0.0.1")
        assert sum("SELECT" in statement for statement, _ in statements) == looked_up, ahead


def test_without_postgresql_a_known_key_works_on_and_then_nobody_is_let_in(keyring, outside, new_key, clock):
    key = new_key("imports")
    assert outside.get(NO_DATABASE, headers=bearer(key)).status_code == 200
    no_database(keyring)
    for ahead, expected in ((1, 200), (2.5, 200), (3.9, 200), (4.1, 503), (60, 503)):
        clock.ahead = ahead
        assert outside.get(NO_DATABASE, headers=bearer(key)).status_code == expected, ahead
    answer = outside.get(NO_DATABASE, headers=bearer(key))
    assert (answer.json["code"], answer.headers["Retry-After"]) == ("unavailable", "5")
    assert outside.get(NO_DATABASE, headers=bearer(keyring.signer.new().text)).status_code == 503
    assert outside.get(NO_DATABASE, headers=bearer("hunter2")).status_code == 401
    assert outside.get(NO_DATABASE).status_code == 401


def test_an_answer_of_the_database_that_took_too_long_is_not_believed(keyring, new_key, clock):
    key = new_key("imports")

    def dawdle(*_):
        clock.ahead += 4.5

    event.listen(keyring._engine, "after_cursor_execute", dawdle)
    with pytest.raises(Unavailable):
        keyring(key, "127.0.0.1")
    event.remove(keyring._engine, "after_cursor_execute", dawdle)


@pytest.mark.processes
@pytest.mark.parametrize(
    ("redis", "believed"),
    [({}, keyrings.BELIEVED_SECONDS), ({"REDIS_URL": NOWHERE, "CACHE_REDIS_URL": NOWHERE}, 1.0)],
    ids=["redis", "no redis"],
)
def test_a_revocation_reaches_every_process_within_5_seconds(production, environment, new_key, redis, believed):
    key = new_key("imports")

    def status(url):
        return requests.get(url + NO_DATABASE, headers=bearer(key), timeout=20).status_code  # any process may answer

    with served({**environment, **SERVED, **redis}, workers=3, times=believed_for(believed)) as url:
        for _ in range(60):
            assert status(url) == 200
        with production.app_context():
            service.revoke(key_id(key))
        began, last_let_in = time.monotonic(), 0.0
        while time.monotonic() - began < believed + 1:
            asked = time.monotonic() - began
            last_let_in = asked if status(url) == 200 else last_let_in
        assert last_let_in < believed < 5
        assert {status(url) for _ in range(60)} == {401}


def test_a_change_of_scopes_is_known_as_soon(keyring, production, new_key, clock):
    key = new_key("tasks")
    assert keyring(key, "127.0.0.1").scopes == {"tasks"}
    with production.app_context():
        service.update(key_id(key), {"scopes": ["orders"]})
    clock.ahead = 5
    assert keyring(key, "127.0.0.1").scopes == {"orders"}


def test_a_key_ends_when_it_is_to_end(keyring, production, new_key, clock):
    key = new_key("tasks", expires_at=ago(seconds=-100))
    keyring(key, "127.0.0.1")
    clock.ahead = 101
    with pytest.raises(Unauthorized, match="expired"):
        keyring(key, "127.0.0.1")


def test_after_a_rotation_both_secrets_work_until_the_old_one_ends(keyring, production, new_key, clock):
    old = new_key("tasks")
    with production.app_context():
        _, new = service.rotate(key_id(old), 1)
    assert new.split("_")[2] == key_id(old)
    assert keyring(old, "127.0.0.1") == keyring(new, "127.0.0.1")
    clock.ahead = 3601
    with pytest.raises(Unauthorized):
        keyring(old, "127.0.0.1")
    assert keyring(new, "127.0.0.1").scopes == {"tasks"}


def test_a_second_rotation_ends_the_first_secret_at_once(keyring, production, new_key):
    first = new_key("tasks")
    with production.app_context():
        _, second = service.rotate(key_id(first))
        _, third = service.rotate(key_id(first))
    with pytest.raises(Unauthorized):
        keyring(first, "127.0.0.1")
    assert keyring(second, "127.0.0.1") == keyring(third, "127.0.0.1")


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["10.1.0.0/16"], "10.1.2.3", 200),
        (["10.1.0.0/16"], "10.2.2.3", 403),
        (["10.1.0.0/16"], "::ffff:10.1.2.3", 200),
        (["2001:db8::/32", "10.1.2.3"], "2001:db8::1", 200),
        (["2001:db8::/32", "10.1.2.3"], "10.1.2.3", 200),
        (["2001:db8::/32"], "10.1.2.3", 403),
        (["0.0.0.0/0"], "", 403),
        ([], "203.0.113.9", 200),
    ],
)
def test_a_key_works_from_its_networks_alone(outside, new_key, networks, address, status):
    key = new_key("imports", networks=networks)
    assert outside.get(NO_DATABASE, headers=bearer(key), environ_base={"REMOTE_ADDR": address}).status_code == status


def test_the_last_use_is_written_once_by_a_thread_of_its_own(keyring, outside, production, new_key, statements):
    key = new_key("imports")
    for _ in range(50):
        assert outside.get(NO_DATABASE, headers=bearer(key)).status_code == 200

    def used():
        with production.app_context():
            return service.get(key_id(key)).last_used_at

    assert abs(wait_for(used).timestamp() - time.time()) < 60
    written = [thread for statement, thread in statements if "UPDATE" in statement]
    assert written == ["uses of keys"]
    assert uses.WRITTEN_EVERY_SECONDS >= 60


def test_an_older_use_never_overwrites_a_newer_one(keyring, production, new_key):
    key = key_id(new_key("imports"))
    for used in (2_000_000_000, 1_900_000_000):
        keyring._uses._seen = {key: used}
        keyring._uses.write()
    with production.app_context():
        assert service.get(key).last_used_at.timestamp() == 2_000_000_000


def test_nothing_that_is_stored_lets_anyone_in(production, new_key):
    key = new_key("imports")
    with production.app_context():
        stored = db.session.scalar(text("SELECT api_keys::text FROM api_keys"))
        digest = service.get(key_id(key)).digest
    assert key_id(key) in stored
    assert key.split("_")[3][:32] not in stored
    assert len(digest) == 32


def test_another_secret_key_ends_all_keys(keyring, new_key):
    from catalog.auth.tokens import Signer

    key = new_key("imports")
    assert keyring.signer.read(key) is not None
    assert Signer("x" * 32).read(key) is None


def test_the_secrets_are_compared_in_constant_time(keyring, new_key, monkeypatch):
    compared = []
    monkeypatch.setattr(keyrings.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    keyring(new_key("imports"), "127.0.0.1")
    assert len(compared) == 3  # the checksum, the secret and the one before


def test_a_key_that_was_right_is_known_again_by_a_hash_and_a_wrong_one_is_not_kept(keyring, new_key):
    key, signer = new_key("imports"), keyring.signer
    first = signer.read(key)
    assert signer.read(key) is first
    assert signer.read(key[:-1] + ("0" if key[-1] != "0" else "1")) is None
    assert len(signer._known) == 1
    assert key.split("_")[3][:32] not in repr(signer._known)


def test_more_keys_than_are_remembered_are_right_all_the_same(keyring, new_key, monkeypatch):
    from catalog.auth import tokens

    monkeypatch.setattr(tokens, "MOST_KNOWN", 2)
    keys = [keyring.signer.new().text for _ in range(5)]
    assert [keyring.signer.read(key)[0] for key in keys * 2] == [key_id(key) for key in keys * 2]
    assert len(keyring.signer._known) <= 2


def test_who_asks_is_known_to_whatever_keeps_a_record(own_production, new_key):
    who = Blueprint("who", __name__, scope="tasks")
    who.get("/who")(lambda: {"id": access.caller().id, "name": access.caller().name, "from": access.caller().address})
    own_production.register_blueprint(who)
    key = new_key("tasks")
    answer = own_production.test_client().get("/who", headers=bearer(key)).json
    assert answer == {"id": f"key:{key_id(key)}", "name": "Test", "from": "127.0.0.1"}
