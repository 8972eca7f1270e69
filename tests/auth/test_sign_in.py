"""Signing in at the console, as a browser does it: by a key, by a password, not at all, and out again."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from catalog.auth import service as keys
from catalog.console import signing_in
from catalog.extensions import db
from catalog.users import service as users
from tests.auth.conftest import COOKIE, HTML, OVERVIEW, PASSWORD, ago, key_id


def audited(app):
    with app.app_context():
        rows = db.session.execute(text("SELECT action, entity, entity_id, actor_name FROM audit_entries ORDER BY id"))
        return [tuple(row) for row in rows]


# In


def test_a_name_and_a_password_begin_a_session(browser, ada):
    answer = browser.sign_in(name="Ada", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, OVERVIEW)
    page = browser.client.get(OVERVIEW, headers=HTML)
    assert page.status_code == 200
    assert "Ada" in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["ada", "ADA"])
def test_a_name_counts_in_any_case(browser, ada, name):
    assert browser.sign_in(name=name, password=PASSWORD).status_code == 303


def test_a_password_counts_however_a_keyboard_writes_its_letters(browser, production, ada):
    with production.app_context():
        users.set_password(ada, "un café crème à Zürich")
    assert browser.sign_in(name="Ada", password="un cafe\u0301 cre\u0300me a\u0300 Zu\u0308rich").status_code == 303


def test_a_key_begins_a_session_with_its_scopes(browser, new_key):
    assert browser.sign_in(key=new_key("tasks")).status_code == 303
    assert (browser.status("/console/tasks"), browser.status("/console/orders")) == (200, 403)


def test_the_cookie_is_kept_from_scripts_from_plain_http_and_from_other_sites(browser, ada):
    written = browser.sign_in(name="Ada", password=PASSWORD).headers.getlist("Set-Cookie")
    (cookie,) = (one for one in written if one.startswith(COOKIE))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_one_comes_back_to_the_page_that_was_asked_for(browser, ada):
    sent = browser.client.get("/console/products?search=desk+lamp&sort=-price", headers=HTML)
    assert sent.status_code == 302
    wanted = parse_qs(urlsplit(sent.headers["Location"]).query)["next"][0]
    assert wanted == "/console/products?search=desk+lamp&sort=-price"
    page = browser.client.get(sent.headers["Location"], headers=HTML)
    assert wanted.replace("&", "&amp;") in page.text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    form = {"csrf_token": token, "next": wanted, "name": "Ada", "password": PASSWORD}
    assert browser.client.post("/console/sign-in", data=form).headers["Location"] == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/console/overview",
        "/\\evil.example",
        "\\\\evil.example/console",
        "/console\\..\\..\\evil",
        "/console/..//evil.example",
        "/console/../api/v1/products",
        "/console//evil.example",
        "/console/%0d%0aSet-Cookie:x=y",
        "/console/overview\r\nX: y",
        "/consoles.evil.example",
        "/console.evil.example/",
        "/console@evil.example/",
        "javascript:alert(1)",
        " /console/overview",
        "/console/sign-in?next=/console/sign-in",
        "/console/overview#@evil.example",
        "",
    ],
)
def test_no_other_page_than_one_of_the_console_is_gone_to(browser, ada, wanted):
    answer = browser.sign_in(next=wanted, name="Ada", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, OVERVIEW)


@pytest.mark.parametrize("wanted", ["/console/products", "/console/orders/7", "/console/audit?since=2026-01-01T00:00Z"])
def test_pages_of_the_console_are_gone_to(wanted):
    assert signing_in.target(wanted) == wanted


# Not in


def test_a_page_sends_to_the_sign_in_page_and_a_script_gets_to_know_of_it(outside):
    page = outside.get("/console/tasks", headers=HTML)
    assert (page.status_code, page.headers["Location"]) == (302, "/console/sign-in?next=%2Fconsole%2Ftasks")
    asked = {**HTML, "HX-Request": "true", "HX-Current-URL": "https://catalog.example/console/tasks?x=1"}
    part = outside.get("/console/tasks/new", headers=asked)
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/console/sign-in?next=%2Fconsole%2Ftasks%3Fx%3D1")
    assert outside.get("/console/overview", headers=HTML).headers["Location"] == "/console/sign-in"


def test_nothing_outside_of_the_console_heeds_the_cookie(browser, ada):
    browser.sign_in(name="Ada", password=PASSWORD)
    for path in ("/api/v1/products", "/api/v1/keys", "/api/v1/tasks", "/metrics", "/graphql?query={x}"):
        assert browser.client.get(path).status_code == 401, path
    assert browser.client.post("/api/v1/products", json={"name": "Lamp"}).status_code == 401
    assert browser.client.get("/console/products", headers=HTML).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"name": "Ada", "password": "not-hers"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "Ada\t", "password": "not-hers"},
    ],
)
def test_a_wrong_name_and_a_wrong_password_are_refused_in_the_same_words(browser, ada, given):
    answer = browser.sign_in(next="/console/tasks", **given)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert (browser.cookie(), browser.status()) == (None, 302)
    assert 'value="/console/tasks"' in answer.text
    assert given["password"] not in answer.text


@pytest.mark.usefixtures("real_passwords")
def test_the_same_work_is_done_for_a_name_that_there_is_not(browser, ada, monkeypatch):
    from catalog.users import passwords

    verified = []
    real = type(passwords._hasher).verify
    monkeypatch.setattr(
        type(passwords._hasher), "verify", lambda self, kept, given: verified.append(kept) or real(self, kept, given)
    )
    for name in ("Ada", "nobody"):
        assert browser.sign_in(name=name, password="wrong").status_code == 401
    assert len(verified) == 2
    parameters = {kept.rsplit("$", 2)[0] for kept in verified}
    assert parameters == {"$argon2id$v=19$m=19456,t=2,p=1"}


def test_a_form_without_a_name_or_a_key_says_what_is_missing(browser):
    answer = browser.sign_in(name="", password="x")
    assert (answer.status_code, "Please type your name." in answer.text) == (400, True)
    assert "Please paste a key." in browser.sign_in(key="").text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("revoked", "revoked"),
        ("expired", "expired"),
        ("network", "may not be used from this address"),
        ("no", "no key"),
    ],
)
def test_a_key_that_is_no_good_is_refused_and_told_why(browser, production, new_key, kind, said):
    options = {"expired": {"expires_at": ago(seconds=1)}, "network": {"networks": ["10.1.0.0/16"]}}
    key = new_key("tasks", **options.get(kind, {})) if kind != "no" else "hunter2"
    if kind == "revoked":
        with production.app_context():
            keys.revoke(key_id(key))
    answer = browser.sign_in(key=key)
    assert answer.status_code == (403 if kind == "network" else 401)
    assert said in answer.text
    assert key not in answer.text
    assert browser.cookie() is None


def test_a_disabled_user_is_told_so_once_the_password_is_right(browser, production, ada):
    with production.app_context():
        users.update(ada, {"disabled": True})
    assert "is wrong" in browser.sign_in(name="Ada", password="wrong").text
    assert "disabled" in browser.sign_in(name="Ada", password=PASSWORD).text
    assert browser.cookie() is None


def test_a_session_that_was_there_before_signing_in_is_not_taken_over(browser, production, ada, new_key):
    browser.client.set_cookie(COOKIE, "planted", path="/")
    browser.sign_in(key=new_key("tasks"))
    first = browser.cookie()
    assert first != "planted"
    browser.sign_in(name="Ada", password=PASSWORD)
    assert browser.cookie() != first
    other = production.test_client()
    other.set_cookie(COOKIE, first, path="/")
    assert other.get("/console/tasks", headers=HTML).status_code == 302


def test_the_pages_token_is_another_after_signing_in(browser, ada):
    before = browser.client.get("/console/sign-in").headers["Set-Cookie"]
    browser.sign_in(name="Ada", password=PASSWORD)
    after = browser.client.get(OVERVIEW, headers=HTML).headers["Set-Cookie"]
    assert before.partition(";")[0] != after.partition(";")[0]


def test_a_stranger_cannot_sign_a_browser_in_or_out_from_another_site(browser, ada):
    form = {"name": "Ada", "password": PASSWORD}
    assert browser.client.post("/console/sign-in", data=form).status_code == 403
    for origin in ("https://evil.example", "null", "", "http://[", "https://evil@localhost", "http://\u0660"):
        assert browser.sign_in(headers={"Origin": origin}, **form).status_code == 403
    assert browser.sign_in(headers={"Sec-Fetch-Site": "cross-site"}, **form).status_code == 403
    assert browser.cookie() is None
    browser.sign_in(**form)
    assert browser.client.post("/console/sign-out", data={}).status_code == 403
    assert browser.status() == 200


@pytest.mark.parametrize("page", ["http://[", "http://[::1", "//[", "\u0660", "x" * 5_000, "https://evil.example/\\"])
def test_a_page_that_is_none_leads_to_the_first_one_after_signing_in(outside, page):
    asked = {**HTML, "HX-Request": "true", "HX-Current-URL": page}
    answer = outside.get("/console/tasks", headers=asked)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/console/sign-in"


# Out


def test_signing_out_ends_the_session_everywhere(browser, production, ada):
    browser.sign_in(name="Ada", password=PASSWORD)
    kept = browser.cookie()
    page = browser.client.get(OVERVIEW, headers=HTML).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = browser.client.post("/console/sign-out", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in?out=yes")
    assert "You are signed out." in browser.client.get(answer.headers["Location"]).text
    assert browser.cookie() is None
    other = production.test_client()
    other.set_cookie(COOKIE, kept, path="/")
    assert other.get(OVERVIEW, headers=HTML).status_code == 302


def test_sign_ins_failures_and_sign_outs_are_in_the_audit_without_what_was_typed(browser, production, ada, new_key):
    browser.sign_in(name="Ada", password="hunter2 in the wrong place")
    browser.sign_in(name="my secret password", password="Ada")
    browser.sign_in(name="Ada", password=PASSWORD)
    browser.sign_in(key=new_key("tasks"))
    found = [row for row in audited(production) if row[0].startswith("sign")]
    session_ids = {row[2] for row in found if row[1] == "session"}
    assert [(action, entity, name) for action, entity, _, name in found] == [
        ("sign_in_failed", "user", "anonymous"),
        ("sign_in_failed", "user", "anonymous"),
        ("sign_in", "session", "Ada"),
        ("sign_out", "session", "Ada"),
        ("sign_in", "session", "Test"),
    ]
    assert [row[2] for row in found[:2]] == [str(ada), "unknown"]
    assert len(session_ids) == 2
    with production.app_context():
        written = db.session.scalar(text("SELECT string_agg(audit_entries::text, ' ') FROM audit_entries"))
    assert not any(word in written for word in ("hunter2", "my secret", PASSWORD))


def test_what_is_done_in_a_session_is_the_users_own_work(browser, production, ada):
    browser.sign_in(name="Ada", password=PASSWORD)
    token = browser.client.get("/console/tasks", headers=HTML).text.partition('name="csrf-token" content="')[2][:43]
    made = browser.client.post("/console/tasks", json={"title": "Buy lamps"}, headers={"X-CSRF-Token": token})
    assert made.status_code == 200
    with production.app_context():
        who = db.session.execute(text("SELECT actor_id, actor_name FROM audit_entries WHERE entity = 'task'")).one()
    assert tuple(who) == (f"user:{ada}", "Ada")


# The open service


def test_the_open_service_asks_nobody_to_sign_in_and_says_that_it_is_open(client):
    page = client.get(OVERVIEW, headers=HTML)
    assert page.status_code == 200
    assert "Open to this machine" in page.text
    assert "Sign out" not in page.text
    client.set_cookie("catalog_session", "stale", path="/")
    assert client.get(OVERVIEW, headers=HTML).status_code == 200
    assert "nobody needs to sign in" in client.get("/console/sign-in").text
