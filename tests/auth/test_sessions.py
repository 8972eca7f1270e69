"""What a session is good for, how long, and who ends it."""

import pytest
from sqlalchemy import text

from catalog.auth import service as keys
from catalog.extensions import db
from catalog.sessions import service as sessions
from catalog.users import service as users
from tests.auth.conftest import COOKIE, HTML, OVERVIEW, PASSWORD, Browser, bearer, key_id

# A session is as good as its user or its key


def test_a_revoked_key_ends_its_sessions_within_5_seconds(browser, production, new_key, monkeypatch):
    key = new_key("tasks")
    browser.sign_in(key=key)
    assert browser.status("/console/tasks") == 200
    with production.app_context():
        keys.revoke(key_id(key))
    from catalog.auth import keyring

    later = keyring.time.monotonic() + keyring.BELIEVED_SECONDS
    clock = type("Later", (), {"monotonic": staticmethod(lambda: later), "time": staticmethod(keyring.time.time)})
    monkeypatch.setattr(keyring, "time", clock)
    assert keyring.BELIEVED_SECONDS < 5
    assert browser.status("/console/tasks") == 302


def test_a_session_by_a_key_keeps_to_its_networks_and_its_scopes_at_every_request(browser, production, new_key):
    key = new_key("tasks", networks=["10.1.0.0/16", "127.0.0.1"])
    browser.sign_in(key=key)
    assert browser.status("/console/tasks", REMOTE_ADDR="10.1.2.3") == 200
    assert browser.status("/console/tasks", REMOTE_ADDR="10.2.2.3") == 403
    with production.app_context():
        keys.update(key_id(key), {"scopes": ["orders"]})
        production.extensions["catalog-keyring"]._known.clear()
    assert (browser.status("/console/tasks"), browser.status("/console/orders")) == (403, 200)


def test_a_session_ends_with_the_secret_that_began_it(browser, production, new_key):
    old = new_key("tasks")
    browser.sign_in(key=old)
    with production.app_context():
        keys.rotate(key_id(old), 0)
        production.extensions["catalog-keyring"]._known.clear()
    assert browser.status("/console/tasks") == 302


@pytest.mark.parametrize("ending", ["disabled", "password", "ended"])
def test_a_user_who_is_disabled_has_another_password_or_is_signed_out_has_no_session_any_more(
    browser, production, ada, ending
):
    browser.sign_in(name="Ada", password=PASSWORD)
    assert browser.status() == 200
    with production.app_context():
        if ending == "disabled":
            users.update(ada, {"disabled": True})
            users.update(ada, {"disabled": False})  # which does not bring it back
        elif ending == "password":
            users.set_password(ada, "another horse battery staple")
        else:
            users.end_sessions(ada)
    sent = browser.client.get("/console/tasks", headers=HTML)
    assert sent.headers["Location"] == "/console/sign-in?next=%2Fconsole%2Ftasks&ended=yes"
    assert browser.cookie() is None
    assert "Your session has ended" in browser.client.get(sent.headers["Location"], headers=HTML).text


def test_what_a_user_may_do_changes_with_the_next_request(browser, production, ada):
    browser.sign_in(name="Ada", password=PASSWORD)
    with production.app_context():
        users.update(ada, {"scopes": ["tasks"]})
    assert (browser.status("/console/tasks"), browser.status("/console/keys")) == (200, 403)


def test_one_changes_ones_own_password_and_stays_signed_in_here_alone(production, ada):
    here, there = Browser(production), Browser(production)
    for each in (here, there):
        each.sign_in(name="Ada", password=PASSWORD)
    token = here.client.get("/console/account", headers=HTML).text.partition('name="csrf-token" content="')[2][:43]
    wrong = {"present": "wrong", "password": "another horse battery staple"}
    address, headers = "/console/account/password", {"X-CSRF-Token": token}
    assert here.client.post(address, json=wrong, headers=headers).json["errors"][0]["field"] == "present"
    short = {"present": PASSWORD, "password": "short"}
    assert here.client.post(address, json=short, headers=headers).json["errors"][0]["field"] == "password"
    before = here.cookie()
    assert here.client.post(address, json={**wrong, "present": PASSWORD}, headers=headers).status_code == 200
    assert here.cookie() != before
    assert (here.status(), there.status()) == (200, 302)
    assert Browser(production).sign_in(name="Ada", password=PASSWORD).status_code == 401


def test_who_signed_in_by_a_key_has_no_password_to_change(browser, new_key):
    browser.sign_in(key=new_key("tasks"))
    page = browser.client.get("/console/account", headers=HTML).text
    assert "New password" not in page
    token = page.partition('name="csrf-token" content="')[2][:43]
    body = {"present": "x", "password": "another horse battery staple"}
    assert (
        browser.client.post("/console/account/password", json=body, headers={"X-CSRF-Token": token}).status_code == 403
    )


@pytest.mark.parametrize(
    ("column", "age"), [("last_seen_at", "61 minutes"), ("ends_at", "0 seconds")], ids=["idle", "absolute"]
)
def test_a_session_ends_when_it_is_not_used_and_in_any_case(browser, production, ada, column, age):
    browser.sign_in(name="Ada", password=PASSWORD)
    with production.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"UPDATE sessions SET {column} = now() - interval '{age}'"))
    assert browser.status() == 302


def test_a_session_that_is_used_goes_on_but_not_by_what_a_page_asks_by_itself(browser, production, ada):
    browser.sign_in(name="Ada", password=PASSWORD)

    def seen_after(headers):
        with production.app_context(), db.engine.begin() as connection:
            connection.execute(text("UPDATE sessions SET last_seen_at = now() - interval '59 minutes'"))
        assert browser.client.get("/console/jobs/workers", headers=headers).status_code == 200
        with production.app_context():
            return db.session.scalar(text("SELECT now() - last_seen_at < interval '1 minute' FROM sessions"))

    assert seen_after({"X-Background": "true"}) is False
    assert seen_after(HTML) is True


def test_a_token_is_not_stored_and_a_made_up_one_is_none(browser, production, ada):
    browser.sign_in(name="Ada", password=PASSWORD)
    with production.app_context():
        stored = db.session.scalar(text("SELECT sessions::text FROM sessions"))
    token = browser.cookie()
    assert len(token) > 43
    assert token not in stored
    assert token.encode().hex() not in stored
    for made_up in (token[:-1], token + "x", "x" * 1_000, "café", " "):
        other = production_client(browser)
        other.set_cookie(COOKIE, made_up, path="/")
        assert other.get(OVERVIEW, headers=HTML).status_code == 302


def production_client(browser):
    return browser.client.application.test_client()


# Lists, and what is swept


def test_admins_list_and_end_sessions_over_the_api_and_with_them_all_of_a_user(browser, production, ada, new_key):
    browser.sign_in(name="Ada", password=PASSWORD, headers={"User-Agent": "Firefox on a boat"})
    outside, admin = production.test_client(), bearer(new_key("admin"))
    (found,) = outside.get("/api/v1/sessions", headers=admin).json["items"]
    assert (found["name"], found["caller_id"], found["agent"]) == ("Ada", f"user:{ada}", "Firefox on a boat")
    assert "digest" not in found
    assert outside.delete(f"/api/v1/sessions/{found['id']}", headers=admin).status_code == 204
    assert outside.delete(f"/api/v1/sessions/{found['id']}", headers=admin).status_code == 404
    assert browser.status() == 302
    browser.sign_in(name="Ada", password=PASSWORD)
    assert outside.delete(f"/api/v1/users/{ada}/sessions", headers=admin).status_code == 204
    assert browser.status() == 302
    assert outside.get("/api/v1/sessions", headers=admin).json["total"] == 0


def test_one_ends_ones_own_sessions_and_nobody_elses(production, ada, new_key):
    here, there, other = Browser(production), Browser(production), Browser(production)
    for each in (here, there):
        each.sign_in(name="Ada", password=PASSWORD)
    other.sign_in(key=new_key("tasks"))
    with production.app_context():
        ids = {each.name: each.id for each in sessions.page({"limit": 10, "offset": 0})["items"]}
        of_there = there_id(there)
    token = here.client.get("/console/account", headers=HTML).text.partition('name="csrf-token" content="')[2][:43]

    def end(session_id):
        path = f"/console/account/sessions/{session_id}/end"
        return here.client.post(path, headers={"X-CSRF-Token": token}).status_code

    assert (end(of_there), end(ids["Test"])) == (200, 404)
    assert (here.status(), there.status(), other.status("/console/tasks")) == (200, 302, 200)


def there_id(browser):
    return sessions.id_of(browser.cookie())


def test_users_are_listed_and_changed_over_the_api_but_no_password_is(production, ada, new_key):
    client, admin = production.test_client(), bearer(new_key("admin"))
    (found,) = client.get("/api/v1/users", headers=admin).json["items"]
    assert (found["id"], found["disabled"], found["scopes"]) == (str(ada), False, ["admin"])
    changed = client.put(f"/api/v1/users/{ada}", json={"scopes": ["tasks"], "disabled": True}, headers=admin).json
    assert (changed["scopes"], changed["disabled"]) == (["tasks"], True)
    assert client.put(f"/api/v1/users/{ada}", json={"password": "x" * 20}, headers=admin).status_code == 400
    assert "password" not in client.get(f"/api/v1/users/{ada}", headers=admin).text
    assert client.get("/api/v1/users/01890000-0000-7000-8000-000000000000", headers=admin).status_code == 404


def test_the_clock_deletes_sessions_that_are_over_and_no_other(production, ada, new_key):
    browsers = [Browser(production) for _ in range(3)]
    for each in browsers:
        each.sign_in(name="Ada", password=PASSWORD)
    key = new_key("tasks")
    browsers[0].sign_in(key=key)
    with production.app_context():
        assert sessions.prune() == 0
        keys.revoke(key_id(key))
        assert sessions.prune() == 1
        users.end_sessions(ada)
        assert sessions.prune() == 2
    from catalog.clock import sweeps

    assert "catalog.sessions.service.prune" in [sweep.function for sweep in sweeps()]
