"""How a browser signs in: the page that it is sent to, the one that it comes back to, and the cookie that it keeps."""

import re
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Response, current_app, redirect, request
from werkzeug import Response as Answer

from catalog import gate

PREFIX = gate.SESSIONS_UNDER
HOME = f"{PREFIX}/overview"
PAGE = f"{PREFIX}/sign-in"

# A path of the console and nothing before it: neither another host nor what a browser might take for one.
_OURS = re.compile(rf"{PREFIX}(/[\w%~-][\w.%~-]*)+(\?[!-~]*)?", re.ASCII)


def target(wanted: str) -> str:
    """Return the page to go to after signing in: the one that was wanted if it is the console's, else the first."""
    is_ours = _OURS.fullmatch(wanted) and "\\" not in wanted
    return wanted if is_ours and not wanted.startswith(PAGE) else HOME


def begun(answer: Answer, token: str) -> Answer:
    """Give the browser the cookie of a session, which no script reads and no other site's form brings."""
    answer.set_cookie(value=token, **_cookie())
    return answer


def ended(answer: Answer) -> Answer:
    """Take the cookie from the browser."""
    answer.delete_cookie(**_cookie())
    return answer


def _cookie() -> dict[str, Any]:
    is_secure = not gate.is_open(current_app.config) or request.is_secure
    name = gate.session_cookie(current_app.config)
    return {"key": name, "path": "/", "httponly": True, "secure": is_secure, "samesite": "Lax"}


def asked_for(problem: Response, *, is_page: bool) -> Answer:
    """Return what a browser gets in place of a 401: the way to the sign-in page, which for a script is in a header."""
    wanted = target(_here() if is_page else _page_of_script())
    had_one = gate.session_token() is not None
    known = {"next": wanted} if wanted != HOME else {}
    address = f"{PAGE}?{urlencode({**known, **({'ended': 'yes'} if had_one else {})})}".rstrip("?")
    if is_page:
        return ended(redirect(address)) if had_one else redirect(address)
    problem.headers["HX-Redirect"] = address  # the cookie stays, so that the page that follows knows of the end too
    return problem


def _here() -> str:
    if request.method != "GET":
        return HOME
    query = request.query_string.decode("latin-1")
    return quote(request.path, safe="/%") + (f"?{query}" if query else "")


def _page_of_script() -> str:
    """Return the page that a script of htmx runs on; where it does not say, the first."""
    try:
        parts = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:  # e.g. `http://[`
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")
