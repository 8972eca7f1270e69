"""The closed service in the browser: signed in by a password and by a key, refused, locked, signed out, ended."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import expect

from catalog.app import create_app
from catalog.auth import service as keys
from catalog.extensions import db
from catalog.products import service as products
from catalog.users import service as users
from tests.auth.conftest import PRODUCTION
from tests.browser.conftest import Visit
from tests.browser.console.conftest import Looks
from tests.conftest import empty_tables
from tests.processes import served

PASSWORD = "correct horse battery staple"
STRICT = {"RATE_LIMIT_SIGN_IN_NAME": "3/15 minutes", "CACHE_PREFIX": "closed"}


@pytest.fixture(scope="session")
def closed_app(app, environment) -> Iterator[Flask]:
    """The application as it is in production, to make users and keys with."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, **PRODUCTION, **STRICT}.items():
            patch.setenv(name, value)
        made = create_app({"TESTING": True})
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def closed(closed_app, environment) -> Iterator[str]:
    """The address of the service in production."""
    with served({**environment, **PRODUCTION, **STRICT}, workers=2) as url:
        yield url
    empty_tables(closed_app)


@pytest.fixture
def inside(closed_app, closed) -> Iterator[Flask]:
    """The application, whose tables are empty, and in which Ada is a user with every scope."""
    empty_tables(closed_app)
    with closed_app.app_context():
        users.create({"name": "Ada", "password": PASSWORD, "scopes": ["admin"]})
        yield closed_app
        db.session.remove()


@pytest.fixture
def guest(browser, closed, inside) -> Iterator[Visit]:
    """A new page of the closed service."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=closed)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield Visit(context.new_page())
    context.close()


@pytest.fixture
def looks(guest, closed, screenshots) -> Looks:
    """Looks at whatever page the guest has open."""
    return Looks(guest, closed, screenshots)


def by_password(visit: Visit, name: str = "Ada", password: str = PASSWORD) -> None:
    visit.page.get_by_label("Name").fill(name)
    visit.page.get_by_label("Password").fill(password)
    visit.page.get_by_role("button", name="Sign in", exact=True).click()


def refusals(visit: Visit) -> list[str]:
    """Take out of the complaints what the browser says of any answer that is an error."""
    found = [said for said in visit.complaints if "the server responded with a status of" in said]
    of_htmx = [said for said in visit.complaints if said.startswith("Response Status Error Code")]
    visit.complaints = [said for said in visit.complaints if said not in found + of_htmx]
    return found


def test_by_a_password_one_comes_to_the_page_that_was_asked_for_and_out_again(guest, looks):
    page = guest.page
    page.goto("/console/tasks?x=1")
    page.wait_for_url("**/console/sign-in?next=*")
    looks.at("sign-in", "#by-key")
    by_password(guest)
    page.wait_for_url("**/console/tasks?x=1")
    page.get_by_role("link", name="Ada").click()
    page.get_by_role("heading", name="Where you are signed in").wait_for()
    looks.at("account", "#sessions-title")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()
    page.goto("/console/tasks")
    page.wait_for_url("**/console/sign-in?next=*")
    assert guest.complaints == []


def test_the_pages_work_without_any_script(browser, closed, inside):
    context = browser.new_context(base_url=closed, java_script_enabled=False)
    page = context.new_page()
    page.goto("/console/audit")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    context.close()


def test_by_a_key_one_may_do_what_the_key_may(guest, inside, looks):
    _, text = keys.create({"name": "Warehouse", "scopes": ["tasks", "orders"]})
    page = guest.page
    page.goto("/")
    page.get_by_role("textbox", name="Key").fill(text)
    page.get_by_role("button", name="Sign in with the key").click()
    page.wait_for_url("**/console/overview")
    menu = page.get_by_role("navigation", name="Sections")
    assert menu.get_by_role("link").all_inner_texts() == ["Overview", "Orders", "Tasks", "API"]
    looks.at("overview-few-scopes", "#figures")
    assert guest.complaints == []
    page.goto("/console/keys")
    page.get_by_text("This needs the scope `admin`.").wait_for()
    assert len(refusals(guest)) == 1
    looks.at("refused-scope", ".nothing-title")


def test_a_wrong_password_is_refused_and_then_locked(guest, looks):
    page = guest.page
    page.goto("/console/sign-in")
    for _ in range(3):
        by_password(guest, password="not it")
        page.get_by_text("The name or the password is wrong.").wait_for()
        assert page.get_by_label("Name").input_value() == "Ada"
    assert len(refusals(guest)) == 3
    looks.at("sign-in-refused", "[role=alert]")
    by_password(guest)
    page.get_by_text("Locked for a while").wait_for()
    page.get_by_text("Please try again in 15 minutes.").wait_for()
    assert len(refusals(guest)) == 1
    looks.at("sign-in-locked", "[role=alert]")


@pytest.fixture
def grace(inside) -> str:
    """A user who has not been locked."""
    users.create({"name": "Grace", "password": PASSWORD, "scopes": ["admin"]})
    return "Grace"


def test_a_session_that_is_ended_while_its_page_is_open_leads_to_the_sign_in_page(guest, inside, grace, looks):
    page = guest.page
    page.goto("/console/products")
    by_password(guest, grace)
    page.get_by_role("heading", name="Products").wait_for()
    users.end_sessions(users.named(grace).id)
    page.get_by_label("Search", exact=True).fill("lamp")
    page.wait_for_url("**/console/sign-in?next=*ended=yes")
    page.get_by_text("Your session has ended.").wait_for()
    assert len(refusals(guest)) == 1
    looks.at("sign-in-ended", "[role=alert]")


def test_the_overview_stops_being_told_when_its_session_has_ended(guest, inside, grace):
    page = guest.page
    page.goto("/console/overview")
    by_password(guest, grace)
    page.get_by_role("region", name="Dependencies").wait_for()
    users.update(users.named(grace).id, {"disabled": True})
    page.wait_for_url("**/console/sign-in?ended=yes", timeout=15_000)


def test_keys_are_made_shown_once_rotated_and_revoked(guest, inside, grace, looks):
    page = guest.page
    page.goto("/console/keys")
    by_password(guest, grace)
    page.get_by_text("No key here").wait_for()
    page.get_by_role("button", name="New key").click()
    page.get_by_role("button", name="Create").click()
    page.get_by_role("dialog", name="Key").get_by_text("Must not be blank.").wait_for()
    assert len(refusals(guest)) == 1
    page.get_by_label("Name").fill("Warehouse")
    page.get_by_label("imports", exact=True).check()
    page.get_by_label("orders", exact=True).check()
    page.get_by_label("Networks").fill("10.1.0.0/16, 192.0.2.7")
    page.get_by_role("button", name="Create").click()
    shown = page.locator("#key")
    shown.wait_for()
    text = shown.inner_text()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == text
    looks.at("key-shown", "#key")
    page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row", name="Warehouse")
    assert text not in page.content()
    looks.at("keys", "#list table")
    row.get_by_role("button", name="Rotate").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("Warehouse has a new secret").wait_for()
    assert shown.inner_text() != text
    page.get_by_role("link", name="Done").click()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Yes").click()
    row.get_by_text("revoked").wait_for()
    (key,) = keys.page({"limit": 10, "offset": 0})["items"]
    assert (key.scopes, key.networks) == (["imports", "orders"], ["10.1.0.0/16", "192.0.2.7"])
    assert key.revoked_at
    assert guest.complaints == []


def test_users_are_given_scopes_disabled_and_signed_out(guest, inside, grace, looks):
    page = guest.page
    page.goto("/console/users")
    by_password(guest, grace)
    page.get_by_role("region", name="Who is signed in").get_by_role("row", name="Grace").wait_for()
    looks.at("users", "#sessions table")
    page.get_by_role("button", name="Scopes of Ada").click()
    page.get_by_label("admin: everything").uncheck()
    page.get_by_label("tasks", exact=True).check()
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="Ada")
    row.get_by_text("tasks", exact=True).wait_for()
    page.get_by_role("button", name="Disable Ada").click()
    page.get_by_role("button", name="Yes").click()
    row.get_by_text("disabled", exact=True).wait_for()
    db.session.expire_all()
    ada = users.named("Ada")
    assert (ada.scopes, ada.is_disabled) == (["tasks"], True)
    assert guest.complaints == []
    page.get_by_role("button", name="End the session of Grace").click()
    page.get_by_role("button", name="Yes").click()
    page.wait_for_url("**/console/sign-in?next=*")


def test_the_audit_is_filtered_paged_and_shows_what_was_before(guest, inside, grace, looks):
    lamp = products.create({"name": "Lamp", "sku": "L-1", "price": 3})
    for number in range(60):
        products.update(lamp.id, {"name": f"Lamp {number}"}, None)
    page = guest.page
    page.goto("/console/audit")
    by_password(guest, grace)
    page.get_by_role("row", name="Grace").first.wait_for()
    looks.at("audit", "#list table")
    page.get_by_label("Kind of entity").fill("product")
    page.get_by_label("Kind of entity").press("Tab")
    page.wait_for_url("**/console/audit?entity=product")
    latest = page.locator("#list tbody tr").first
    assert latest.locator("del").first.inner_text() == "Lamp 58"
    assert latest.locator("ins").first.inner_text() == "Lamp 59"
    page.get_by_role("link", name="Earlier").click()
    page.get_by_role("link", name="The latest").wait_for()
    assert page.locator("#list tbody tr").count() == 11
    page.get_by_label("What", exact=True).fill("create")
    page.get_by_label("What", exact=True).press("Tab")
    page.wait_for_url("**action=create*")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    page.get_by_label("from").fill("2099-01-01T00:00")
    page.get_by_label("from").press("Tab")
    page.get_by_text("Nothing was written").wait_for()
    page.goto(f"/console/products/{lamp.id}")
    page.get_by_role("region", name="History").get_by_text("Lamp 58").first.wait_for()
    looks.at("product-history", "#history-title")
    assert guest.complaints == []


def test_one_changes_ones_own_password(guest, inside, grace):
    page = guest.page
    page.goto("/console/account")
    by_password(guest, grace)
    page.get_by_label("Present password").fill("not it")
    page.get_by_label("New password").fill("another horse battery staple")
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("This is not your present password.").first.wait_for()
    page.get_by_label("Present password").fill(PASSWORD)
    with page.expect_navigation():
        page.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="Sign out").click()
    by_password(guest, grace, "another horse battery staple")
    page.wait_for_url("**/console/overview")
