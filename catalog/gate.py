"""The gate: every request passes it before its body is read, the hot paths' too.

While the service is open, this machine needs no key; whoever sends one is checked nevertheless. A session counts at the
console alone: what programs call heeds no cookie, so that no other site's page can call it by the browser of a user.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from flask import Flask, current_app, g, request

from catalog import access
from catalog.access import PUBLIC, Caller
from catalog.errors import BadRequest, Forbidden, Unauthorized
from catalog.hosts import RequestChecks

Environ = dict[str, Any]
Check = Callable[[str, str], Caller]
SessionCheck = Callable[[str, str, bool], Caller]

SESSIONS_UNDER = "/console"
BACKGROUND = "X-Background"  # a request that a page makes by itself, again and again
MARK = "cat_live_"
HOW = (
    "Send an API key as `Authorization: Bearer cat_live_…` or as `X-API-Key`."
    " `python3 manage.py keys create` makes one, and so does `POST /api/v1/keys`."
)
IN_URL = (
    "A key does not belong into a URL, which is logged and remembered in many places: revoke this one"
    " (`python3 manage.py keys revoke`), and send its successor as `Authorization: Bearer …`."
)
_KEY = re.compile(MARK + "[0-9A-Za-z]{12}_[0-9A-Za-z]{8}")


class Gate:
    """One application's gate.

    `check` tells who a key's bearer is, by the key and the address that it came from; `check_session` the same for a
    session, and whether somebody uses it just now. `open_to` tells which addresses need neither. `checks` are those
    of Host and Origin.
    """

    def __init__(
        self, check: Check, check_session: SessionCheck, open_to: Callable[[str], bool], checks: RequestChecks
    ):
        self._check, self._check_session, self._open_to = check, check_session, open_to
        self.refusal = checks.refusal

    def admit(self, environ: Environ, scope: str) -> Caller:
        """Return who asks. Raises Unauthorized, Forbidden, and what the look-up of a key raises."""
        return _with(self.who(environ), scope)

    def who(self, environ: Environ, session: str | None = None, *, is_used: bool = True) -> Caller:
        """Authenticate without checking scopes; `session` is a session token where one is accepted."""
        key, address = key_of(environ), environ.get("REMOTE_ADDR", "")
        if key is not None:
            return self._check(key, address)
        if self._open_to(address):
            return anonymous(address)
        if session:
            return self._check_session(session, address, is_used)
        raise unauthorized(HOW)

    def known(self, environ: Environ, scope: str) -> Caller | None:
        """Return who asks, or None if that needs more than a look: Flask then answers, or says why not."""
        if key_in_url(environ) or self.refusal(environ):
            return None
        try:
            return self.admit(environ, scope)
        except Exception:  # Flask meets it again, and answers for it
            return None


def _with(caller: Caller, scope: str) -> Caller:
    if not caller.may(scope):
        raise access.missing(scope)
    return caller


@lru_cache(maxsize=256)
def anonymous(address: str) -> Caller:
    """Return someone who needs no key."""
    return Caller("anonymous", "anonymous", address)


def register(app: Flask, check: Check, check_session: SessionCheck) -> None:
    """Put the gate before every request."""
    app.extensions["catalog-gate"] = Gate(check, check_session, _open_to(app), RequestChecks(app.config))
    app.before_request(_pass)


def of(app: Flask) -> Gate:
    """Return an application's gate."""
    return app.extensions["catalog-gate"]  # type: ignore[no-any-return]


def scope_of(app: Flask, method: str, rule: str) -> str:
    """Return the scope of an operation by its rule, for paths that pass Flask by. Raises KeyError if there is none."""
    for each in app.url_map.iter_rules():
        if each.rule == rule and method in (each.methods or ()):
            scope = access.needed(app, each.endpoint, method)
            if scope is not None:
                return scope
    raise KeyError(rule)


def key_of(environ: Environ) -> str | None:
    """Return the key that a request brings, as it stands there, or None. `Authorization` comes before `X-API-Key`."""
    given: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, key = given.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else environ.get("HTTP_X_API_KEY")


def key_in_url(environ: Environ) -> bool:
    """Tell whether a key stands in the path or the query of a request, however it is spelled there."""
    query = environ.get("QUERY_STRING")
    if query and _KEY.search(unquote_plus(query)):
        return True
    path = environ["PATH_INFO"]
    return MARK in path and _KEY.search(path) is not None


def unauthorized(detail: str, *, sent: bool = False) -> Unauthorized:
    """Return a refusal that asks for a key (RFC 6750, section 3); `sent` where one was sent that is no good."""
    challenge = 'Bearer realm="catalog"' + (', error="invalid_token"' if sent else "")
    return Unauthorized(detail, WWW_Authenticate=challenge)


def is_loopback(address: str) -> bool:
    """Tell whether an address is this machine's own."""
    return address.startswith("127.") or address == "::1"


def is_open(settings: Mapping[str, Any]) -> bool:
    """Tell whether requests without a key are answered."""
    return bool(settings["CATALOG_ENV"] == "development")


def _open_to(app: Flask) -> Callable[[str], bool]:
    if not is_open(app.config):
        return lambda _: False
    return (lambda _: True) if app.config["PUBLISHED_ON_LOOPBACK"] else is_loopback


def _pass() -> None:
    if refusal := of(current_app).refusal(request.environ):
        raise refusal
    if key_in_url(request.environ):
        raise BadRequest(IN_URL)
    if request.url_rule is None:
        return  # there is no such address, or not for this method: an error follows
    scope = access.needed(current_app, request.url_rule.endpoint, request.method)
    if scope is None:  # registered after the application was checked
        raise Forbidden("It is not declared who may do this.")
    if scope is not PUBLIC:
        g.caller = of(current_app).who(request.environ, session_token(), is_used=_is_somebody_there())
        _with(g.caller, scope)


def again() -> Callable[[], bool]:
    """Return what tells whether the current request would be let in once more, for answers that go on for long."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    gate, environ, token = of(app), request.environ, session_token()
    scope = access.needed(app, request.endpoint or "", request.method) or PUBLIC

    def is_let_in() -> bool:
        try:
            with app.app_context():  # the answer goes on outside of that of its request
                return scope is PUBLIC or gate.who(environ, token, is_used=False).may(scope)
        except (Unauthorized, Forbidden):
            return False

    return is_let_in


def session_token() -> str | None:
    """Return the token of the session that the current request brings, where one counts."""
    if not f"{request.path}/".startswith(f"{SESSIONS_UNDER}/"):
        return None
    return request.cookies.get(session_cookie(current_app.config))


def session_cookie(settings: Mapping[str, Any]) -> str:
    """Return the name of the cookie; in production browsers only take it over HTTPS, and for this very host."""
    return "catalog_session" if is_open(settings) else "__Host-catalog_session"


def _is_somebody_there() -> bool:
    return request.headers.get("Accept") != "text/event-stream" and BACKGROUND not in request.headers
