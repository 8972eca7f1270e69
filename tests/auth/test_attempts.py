"""How often signing in may fail, for a name, for a key, and from an address."""

import re

import pytest

from catalog.cache.client import Unreachable
from catalog.users import passwords
from catalog.users import service as users
from tests.auth.conftest import PASSWORD, Browser

WINDOW = 15 * 60
SPELLINGS = ("admin", "ADMIN", "aDmIn", "adm\u0130n", "adm\u0131n", "\uff41dmin", "admin\u200b", "admi\u0307n")


@pytest.fixture
def strict(production, monkeypatch, worker_id):
    """Production that takes 3 failures of a name and 5 of an address, with counters of its own; one user is Ada."""
    prefix = f"attempts-{worker_id}-{id(monkeypatch)}"
    production.config.update(
        RATE_LIMIT_SIGN_IN_NAME="3/15 minutes", RATE_LIMIT_SIGN_IN_ADDRESS="5/15 minutes", CACHE_PREFIX=prefix
    )
    with production.app_context():
        users.create({"name": "Ada", "password": PASSWORD, "scopes": ["admin"]})
    return production


@pytest.fixture
def browser(strict):
    return Browser(strict)


def fail(browser, times, name="Ada", address="203.0.113.1"):
    return [browser.sign_in(name=name, password="not it", address=address).status_code for _ in range(times)]


def test_a_name_is_locked_after_its_failures_wherever_they_come_from(browser):
    assert fail(browser, 2) == [401, 401]
    assert fail(browser, 2, name="ADA", address="203.0.113.2") == [401, 429]
    answer = browser.sign_in(name="Ada", password=PASSWORD, address="203.0.113.3")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW
    assert answer.mimetype == "text/html"
    assert "Locked for a while" in answer.text
    assert re.search(r"Please try again in (\d+ minutes|a minute)\.", answer.text)
    assert browser.cookie() is None


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_that_finds_a_user_has_the_counter_of_that_user(strict, browser, name):
    with strict.app_context():
        admin = users.create({"name": "admin", "password": PASSWORD, "scopes": ["admin"]})
        finds_it = users.id_of(name) == admin.id
        assert (users.counted_as(name) == users.counted_as("admin")) is finds_it
    tried = [fail(browser, 1, name=name, address=f"203.0.113.{number}") for number in range(4)]
    assert tried == [[401], [401], [401], [429]]
    assert fail(browser, 1, name="admin", address="203.0.113.9") == [429 if finds_it else 401]


@pytest.mark.parametrize("letter", ["\u0130", "\u0131", "\u212a", "\u1e9e", "\u03a3", "\uff21", "\0"])
def test_unknown_names_are_counted_as_known_ones_are(strict, letter):
    """Else how names are counted would tell which there are."""
    with strict.app_context():
        pairs = [(f"q{letter}", f"q{other}") for other in (letter.lower(), letter.upper(), letter.casefold())]
        before = [users.counted_as(one) == users.counted_as(other) for one, other in pairs]
        if letter != "\0":
            users.create({"name": f"q{letter}", "password": PASSWORD, "scopes": ["tasks"]})
        assert [users.counted_as(one) == users.counted_as(other) for one, other in pairs] == before


def test_a_change_of_the_password_counts_for_the_user_too(strict, browser):
    assert browser.sign_in(name="Ada", password=PASSWORD, address="203.0.113.1").status_code == 303
    wrong = {"present": "not it", "password": "another long password"}
    tried = [browser.post("/console/account/password", json=wrong).status_code for _ in range(4)]
    assert tried == [400, 400, 400, 429]
    assert fail(Browser(strict), 1, name="ADA", address="203.0.113.7") == [429]


def test_an_address_is_locked_after_its_failures_whatever_it_tries(browser):
    tried = [fail(browser, 1, name=f"user {number}")[0] for number in range(6)]
    assert tried == [401] * 5 + [429]
    assert fail(browser, 1, name="another", address="203.0.113.2") == [401]
    assert browser.sign_in(key="hunter2", address="203.0.113.1").status_code == 429


def test_the_addresses_of_one_ipv6_client_count_as_one(browser):
    tried = [fail(browser, 1, name=f"user {number}", address=f"2001:db8::{number}")[0] for number in range(6)]
    assert tried == [401] * 5 + [429]


def test_an_address_that_is_locked_locks_no_name(browser):
    for number in range(5):
        fail(browser, 1, name=f"user {number}")
    assert fail(browser, 5) == [429] * 5
    assert browser.sign_in(name="Ada", password=PASSWORD, address="203.0.113.9").status_code == 303


def test_what_succeeds_is_not_counted(strict):
    for _ in range(8):
        answer = Browser(strict).sign_in(name="Ada", password=PASSWORD, address="203.0.113.1")
        assert answer.status_code == 303
    assert fail(Browser(strict), 4) == [401, 401, 401, 429]


def test_what_is_not_answered_is_not_counted(strict, browser, monkeypatch):
    def away(*_):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "fits", away)
        assert fail(browser, 8) == [500] * 8
    assert fail(browser, 4) == [401, 401, 401, 429]


def test_a_key_that_is_refused_is_counted_for_itself_and_one_that_never_was_for_its_address(browser, new_key):
    from tests.auth.conftest import ago

    expired = new_key("tasks", expires_at=ago(seconds=1))
    tried = [browser.sign_in(key=expired, address=f"203.0.113.{number}").status_code for number in range(4)]
    assert tried == [401, 401, 401, 429]
    tried = [browser.sign_in(key="hunter2", address="198.51.100.1").status_code for _ in range(6)]
    assert tried == [401] * 5 + [429]
    assert browser.sign_in(key=new_key("tasks"), address="198.51.100.2").status_code == 303


def test_no_more_than_that_many_passwords_are_looked_at(browser, monkeypatch):
    looked = []
    monkeypatch.setattr(passwords, "fits", lambda given, kept: looked.append(given) and False)
    fail(browser, 9)
    assert len(looked) == 3


def test_without_redis_each_process_counts_for_itself(browser, strict, monkeypatch):
    fail(browser, 0)

    def gone(*_):
        raise Unreachable("away")

    from catalog import ratelimits

    with strict.app_context():
        monkeypatch.setattr(ratelimits._attempts(strict)._counters._client, "run", gone)
    assert browser.sign_in(name="Ada", password=PASSWORD, address="203.0.113.1").status_code == 303
    assert fail(browser, 4) == [401, 401, 401, 429]


def test_who_has_found_an_open_session_does_not_guess_its_password(browser):
    assert browser.sign_in(name="Ada", password=PASSWORD).status_code == 303
    token = browser.client.get("/console/account").text.partition('name="csrf-token" content="')[2][:43]
    body = {"present": "a guess", "password": "another horse battery staple"}
    tried = [
        browser.client.post("/console/account/password", json=body, headers={"X-CSRF-Token": token}).status_code
        for _ in range(4)
    ]
    assert tried == [400, 400, 400, 429]


@pytest.mark.parametrize("wrong", ["off", "many", "10"])
def test_the_limits_cannot_be_switched_off(monkeypatch, wrong):
    from catalog import config

    monkeypatch.setenv("RATE_LIMIT_SIGN_IN_NAME", wrong)
    with pytest.raises(config.ConfigError, match="RATE_LIMIT_SIGN_IN_NAME"):
        config.load()
