"""Pages for browsers: what they load comes from here alone, and no script stands in the page itself."""

from secrets import token_urlsafe
from typing import Any

from flask import Response, make_response, render_template

from catalog.headers import OF_PAGES

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def page(template: str, *, allow: dict[str, str] | None = None, **values: Any) -> Response:
    """Return a page under the strictest Content-Security-Policy.

    `allow` adds sources to directives of the policy, e.g. `{"style-src": "'unsafe-inline'"}`; where it names
    `{nonce}`, that becomes the `nonce` of the template.
    """
    nonce = token_urlsafe(16)
    response = make_response(render_template(template, nonce=nonce, **values))
    response.headers["Content-Security-Policy"] = policy(allow or {}).replace("{nonce}", f"'nonce-{nonce}'")
    response.headers.update(OF_PAGES)
    return response


def policy(allow: dict[str, str]) -> str:
    """Return the Content-Security-Policy of a page, with what it needs beyond the strictest."""
    present = {name: sources for name, sources in _POLICY.items() if sources != "'none'"}
    directives = {**_POLICY, **{name: f"{present.get(name, '')} {more}".strip() for name, more in allow.items()}}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())
