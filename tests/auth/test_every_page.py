"""Each page of the console with each single scope, with none, and without a session; a new page joins by itself."""

import html
import io
import re

import pytest
from sqlalchemy import text
from werkzeug.exceptions import MethodNotAllowed, NotFound

from catalog import access
from catalog.access import KNOWN, PUBLIC, SCOPES
from catalog.auth import service as keys
from catalog.console import pages
from catalog.extensions import db
from tests.auth.conftest import Browser, bearer
from tests.auth.test_every_operation import operations

HTML = {"Accept": "text/html,application/xhtml+xml"}
SCRIPT = {**HTML, "HX-Request": "true", "HX-Current-URL": "https://catalog.example/console/tasks"}
TOKEN = "a-token-of-the-page"
ADDRESS = re.compile(r'\b(href|action|hx-get|hx-post|data-[a-z-]+)="(/[^"]*)"')
ORDER = {
    "id": 7,
    "customer": "ACME",
    "items": [{"sku": "S-1", "quantity": 1, "unit_price": 3}],
    "submitted_at": "2026-01-01T00:00:00Z",
}


def console(app):
    """Yield (method, address, scope) of everything that the console answers to who is known."""
    for method, rule, address, scope in operations(app):
        if rule.startswith("/console/") and scope is not PUBLIC and method != "HEAD":
            yield method, address, scope


@pytest.fixture
def signed_in(production, new_key):
    """Return a function that gives a browser which has signed in by a key with these scopes."""

    def browser(*scopes):
        made = Browser(production)
        assert made.sign_in(key=new_key(*scopes)).status_code == 303
        made.client.set_cookie(pages.TOKEN_COOKIE, TOKEN, path="/console")
        return made.client

    return browser


def ask(client, method, address, headers):
    return client.open(address, method=method, headers={**headers, pages.TOKEN_HEADER: TOKEN})


def test_there_is_a_console_to_walk_over(production):
    walked = list(console(production))
    assert len(walked) > 70
    assert {scope for *_, scope in walked} == {*SCOPES} - {"metrics", "imports:all"} | {KNOWN}


def test_without_a_session_pages_send_to_the_sign_in_page_and_scripts_are_told_to_go_there(production):
    client = production.test_client()
    for method, address, _ in console(production):
        page, part = ask(client, method, address, HTML), ask(client, method, address, SCRIPT)
        assert page.status_code == 302, f"{method} {address}"
        assert page.headers["Location"].startswith("/console/sign-in"), address
        assert part.status_code == 401, f"{method} {address}"
        assert part.headers["HX-Redirect"] == "/console/sign-in?next=%2Fconsole%2Ftasks", address


@pytest.mark.parametrize("scope", SCOPES[:-1])
def test_with_a_single_scope_only_its_pages_are_there_and_the_others_name_theirs(
    production,
    signed_in,
    monkeypatch,
    scope,
):
    client = signed_in(scope)
    with monkeypatch.context() as patch:
        patch.setattr(type(production), "dispatch_request", lambda self: "ran")
        for method, address, needed in console(production):
            answer = ask(client, method, address, HTML)
            if needed in (scope, KNOWN):
                assert (answer.status_code, answer.text) == (200, "ran"), f"{method} {address}"
            else:
                assert answer.status_code == 403, f"{method} {address}"
                assert f"This needs the scope `{needed}`." in answer.text, address


def test_admin_covers_every_page(production, signed_in, monkeypatch):
    client = signed_in("admin")
    monkeypatch.setattr(type(production), "dispatch_request", lambda self: "ran")
    assert {ask(client, method, address, HTML).text for method, address, _ in console(production)} == {"ran"}


@pytest.fixture
def filled(production, new_key):
    """Return the pages of one thing of each kind, with the scope of each."""
    client, admin = production.test_client(), bearer(new_key("admin"))

    def made(path, **body):
        return client.post(f"/api/v1/{path}", json=body, headers=admin).json["id"]

    product = made("products", name="Lamp", sku="S-1", price=3)
    webhook = made("webhooks", url="https://hooks.example.com/", events=["*"])
    order, task = made("orders", **ORDER), made("tasks", title="Buy lamps")
    file = {"file": (io.BytesIO(b"sku,name\nS-2,Lamp\n"), "lamps.csv")}
    sent = client.post("/api/v1/products/upload", data=file, headers=admin)
    with production.app_context():
        keys.create({"name": "Another", "scopes": ["tasks"]})
    return {
        "overview": KNOWN,
        "overview/charts": KNOWN,
        "account": KNOWN,
        "api": KNOWN,
        **dict.fromkeys(("products", "products?search=nothing", f"products/{product}"), "products:read"),
        f"products/{product}/history": "products:read",
        "products/new": "products:write",
        **dict.fromkeys(("imports", f"imports/{sent.json['task_id']}"), "imports"),
        **dict.fromkeys(("webhooks", "webhooks/new", f"webhooks/{webhook}"), "webhooks"),
        f"webhooks/{webhook}/deliveries": "webhooks",
        **dict.fromkeys(("orders", "orders/dead", f"orders/{order}"), "orders"),
        **dict.fromkeys(("tasks", "tasks/new", f"tasks/{task}"), "tasks"),
        **dict.fromkeys(("jobs", "jobs/workers"), "jobs"),
        **dict.fromkeys(("keys", "keys/new", "users", "users/sessions", "audit"), "admin"),
    }


def leads_to(app, name, address):
    """Return the scopes of what an address of a page answers, by the method that its attribute stands for."""
    adapter, found = app.url_map.bind("catalog.example"), set()
    wanted = {"href": ["GET"], "hx-get": ["GET"], "hx-post": ["POST"], "action": ["POST"]}.get(name, ["GET", "POST"])
    for method in wanted:
        try:
            endpoint, _ = adapter.match(address.partition("?")[0], method=method)
        except MethodNotAllowed:
            continue
        except NotFound as error:
            raise AssertionError(f"{address} leads nowhere") from error
        found.add(access.needed(app, endpoint, method))
    return found


EMPTY = {
    **dict.fromkeys(("overview", "overview/charts", "account", "api"), KNOWN),
    **{section: section for section in ("imports", "webhooks", "orders", "tasks", "jobs")},
    **dict.fromkeys(("keys", "users", "audit"), "admin"),
    "products": "products:read",
}


def hand_over_imports(app):
    """Make the user who signed in last the owner of the imports."""
    latest = "SELECT caller_id FROM sessions ORDER BY created_at DESC LIMIT 1"
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"UPDATE imports SET asked_by = jsonb_build_object('id', ({latest}))"))


@pytest.mark.parametrize("scopes", [[scope] for scope in SCOPES] + [["products:read", "products:write"]], ids=" ".join)
@pytest.mark.parametrize("is_empty", [False, True], ids=["filled", "empty"])
def test_a_page_leads_nowhere_where_its_reader_may_not_go(production, signed_in, request, scopes, is_empty):
    client, seen = signed_in(*scopes), 0
    shown = EMPTY if is_empty else request.getfixturevalue("filled")
    hand_over_imports(production)
    for path, needed in shown.items():
        if needed not in (*scopes, KNOWN) and "admin" not in scopes:
            continue
        answer = client.get(f"/console/{path}", headers=HTML)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        for name, address in ADDRESS.findall(html.unescape(answer.text)):
            allowed = {scope in (*scopes, KNOWN, PUBLIC) for scope in leads_to(production, name, address)}
            assert True in allowed or "admin" in scopes, f"{path} has {name}={address}"
            seen += 1
    assert seen > 20


def test_the_overview_shows_the_cards_that_the_scopes_allow(signed_in):
    cards = {
        "products:read": "Products",
        "imports": "Imports",
        "webhooks": "Deliveries",
        "jobs": "Queues and workers",
        "metrics": "Cache",
    }
    for scope in SCOPES:
        text = signed_in(scope).get("/console/overview", headers=HTML).text
        shown = {name for name in cards.values() if f'aria-label="{name}"' in text}
        assert shown == ({cards[scope]} if scope in cards else set(cards.values()) if scope == "admin" else set())


def test_the_menu_has_the_sections_that_the_scopes_allow(signed_in):
    for scopes, expected in (
        (["orders"], ["overview", "orders", "api"]),
        (["tasks", "jobs"], ["overview", "tasks", "jobs", "api"]),
        (["admin"], [section.name for section in pages.SECTIONS.values() if section.is_listed]),
    ):
        text = signed_in(*scopes).get("/console/api", headers=HTML).text
        menu = text.partition("<nav")[2].partition("</nav>")[0]
        assert re.findall(r'href="/console/([a-z]+)"', menu) == expected


def test_a_page_that_is_refused_still_has_the_menu_and_says_which_scope_is_missing(signed_in):
    answer = signed_in("tasks").get("/console/keys", headers=HTML)
    assert answer.status_code == 403
    assert "This needs the scope `admin`." in answer.text
    assert 'href="/console/tasks"' in answer.text
    part = signed_in("tasks").get("/console/keys", headers=SCRIPT)
    assert (part.status_code, part.json["code"]) == (403, "forbidden")
