"""What all pages of the console share: their sections and scopes, how one is shown, and that it is ours who writes."""

import json
from dataclasses import dataclass
from functools import cache
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from flask import Flask, Response, current_app, g, render_template, request
from markupsafe import Markup
from werkzeug import Response as Answer

from catalog import gate, pages
from catalog.access import ADMIN, KNOWN, caller
from catalog.console import signing_in
from catalog.errors import Forbidden
from catalog.hosts import is_origin_of
from catalog.http import Blueprint

PREFIX = gate.SESSIONS_UNDER
TOKEN_COOKIE = "catalog_csrf"  # noqa: S105  # nosec B105
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105  # nosec B105
TOKEN_FIELD = "csrf_token"  # noqa: S105  # nosec B105
FORM = "application/x-www-form-urlencoded"
FORMS = {"form-action": "'self'"}
PROBLEM = "application/problem+json"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_ICONS = Path(__file__).parent.parent / "static" / "vendor" / "icons-3.35.0"


@dataclass(frozen=True)
class Section:
    """A page of the menu, if it is listed: its name is the last part of its address, and of its blueprint's name."""

    name: str
    title: str
    icon: str
    scope: str
    writes: str
    is_listed: bool = True

    @property
    def endpoint(self) -> str:
        """The endpoint of its first page."""
        return f"console_{self.name}.index"


SECTIONS = {
    section.name: section
    for section in (
        Section("overview", "Overview", "layout-dashboard", KNOWN, KNOWN),
        Section("products", "Products", "package", "products:read", "products:write"),
        Section("imports", "Imports", "file-import", "imports", "imports"),
        Section("webhooks", "Webhooks", "webhook", "webhooks", "webhooks"),
        Section("orders", "Orders", "shopping-cart", "orders", "orders"),
        Section("tasks", "Tasks", "columns-3", "tasks", "tasks"),
        Section("jobs", "Jobs", "list-check", "jobs", "jobs"),
        Section("api", "API", "code", KNOWN, KNOWN),
        Section("keys", "Keys", "key", ADMIN, ADMIN),
        Section("users", "Users", "users", ADMIN, ADMIN),
        Section("audit", "Audit", "history", ADMIN, ADMIN),
        Section("account", "Account", "user-circle", KNOWN, KNOWN, is_listed=False),
    )
}


def blueprint(name: str, import_name: str) -> Blueprint:
    """Return the blueprint of a section, which is registered with its scopes and takes no request of another site."""
    section = SECTIONS[name]
    prefix = f"{PREFIX}/{name}"
    made = Blueprint(f"console_{name}", import_name, url_prefix=prefix, scope=section.scope, writes=section.writes)
    made.before_request(check_origin)
    return made


def register(app: Flask) -> None:
    """Give templates what they show things with, and show problems as pages to browsers."""
    listed = [section for section in SECTIONS.values() if section.is_listed]
    shown = {"icon": icon, "may": may, "csrf_token": csrf_token, "caller": caller, "sections": listed}
    is_open = gate.is_open(app.config)
    app.jinja_env.globals |= {**shown, "known_pages": app.view_functions, "is_open": is_open}
    app.jinja_env.filters["number"] = lambda value: f"{value:,}"
    app.after_request(_problem_as_page)


def may(scope: str) -> bool:
    """Tell whether the caller's scopes allow something; the one place that templates ask."""
    return caller().may(scope)


def show(
    template: str,
    *,
    part: str | None = None,
    notice: str | None = None,
    allow: dict[str, str] | None = None,
    **values: Any,
) -> Response:
    """Return a page, or only `part` of it to a script that replaces that; `notice` is said to the user.

    `allow` is what the page's policy allows beside forms.
    """
    name = part if part and is_part() else template
    response = pages.page(f"console/{name}", allow=FORMS | (allow or {}), **values)
    response.headers["Cache-Control"] = "no-store" if gate.session_token() else "private, no-cache"
    response.vary.add("HX-Request")
    response.set_cookie(
        TOKEN_COOKIE, csrf_token(), path=PREFIX, httponly=True, secure=request.is_secure, samesite="Strict"
    )
    return say(response, notice) if notice else response


def say(response: Response, notice: str) -> Response:
    """Add to an answer what the page is to tell the user."""
    response.headers["HX-Trigger"] = json.dumps({"notice": notice})
    return response


def is_part() -> bool:
    """Tell whether a script asks for a part of a page; after a step back it needs the whole one."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def csrf_token() -> str:
    """Return what a page sends back with whatever it changes; its cookie holds the same."""
    if "csrf_token" not in g:
        g.csrf_token = request.cookies.get(TOKEN_COOKIE) or token_urlsafe(32)
    return str(g.csrf_token)


def without_token(answer: Answer) -> Answer:
    """Let the next page make another token, since this one was there before its user was known."""
    answer.delete_cookie(TOKEN_COOKIE, path=PREFIX)
    return answer


def check_origin() -> None:
    """Raise Forbidden for a change that no page of ours asked for. docs/adr/0020 tells why both are looked at."""
    if request.method in _SAFE:
        return
    if not _is_same_site():
        raise Forbidden("This was asked for by a page of another site.")
    cookie, sent = request.cookies.get(TOKEN_COOKIE, ""), request.headers.get(TOKEN_HEADER, "")
    if request.mimetype == FORM:
        sent = request.form.get(TOKEN_FIELD, sent)
    if not cookie or not compare_digest(cookie.encode(), sent.encode()):
        raise Forbidden("The page is too old to change anything. Please load it again.")


def _is_same_site() -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    return origin is None or is_origin_of(origin, request.host)


@cache
def icon(name: str) -> Markup:
    """Return one of Tabler's icons as SVG, which screen readers pass over."""
    source = " ".join((_ICONS / f"{name}.svg").read_text().split())
    return Markup(source.replace("<svg", '<svg aria-hidden="true"', 1))  # noqa: S704  # nosec B704  # vendored, not a user's


def _problem_as_page(response: Response) -> Answer:
    """Show a problem to a browser that asked for a page of the console; scripts get it as it is.

    Who is not known is sent to the sign-in page, from where what is refused there is shown too.
    """
    if response.mimetype != PROBLEM or not f"{request.path}/".startswith(f"{PREFIX}/"):
        return response
    is_page = "text/html" in request.headers.get("Accept", "") and not is_part()
    is_signing_in = request.path == signing_in.PAGE
    if response.status_code == 401 and not is_signing_in:
        return signing_in.asked_for(response, is_page=is_page)
    if not is_page:
        return response
    problem, template = json.loads(response.get_data()), "sign_in" if is_signing_in else "error"
    shown = render_template(f"console/{template}.html", problem=problem, section=None, **_typed())
    page = current_app.response_class(shown, response.status_code, mimetype="text/html")
    page.headers["Content-Security-Policy"] = pages.policy(FORMS)
    for name in ("Retry-After", "WWW-Authenticate", "X-Request-ID"):
        if name in response.headers:
            page.headers[name] = response.headers[name]
    return page


def _typed() -> dict[str, str]:
    """Return what a form of the sign-in page has in it already, but no secret."""
    return {name: request.form.get(name, "") for name in ("name", "next")} if request.mimetype == FORM else {}
