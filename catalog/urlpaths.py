"""Routing of request paths: trailing slashes are optional, and an encoded slash is part of a parameter.

WSGI servers decode the path, which makes `A%2F` and `A/` the same. So the path is taken from the request line, and the
characters that have a meaning for the router stay encoded until a converter decodes its parameter.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from flask import Flask
from werkzeug.routing import PathConverter, UnicodeConverter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_KEPT = {"%2F": "/", "%25": "%", "%0A": "\n", "%0D": "\r"}  # "$" of a pattern also matches before a line feed
_SPLIT_KEPT = re.compile("(%(?:2[Ff]|25|0[AaDd]))")
_SAFE = "!$&'()*+,:;=@"


class StripTrailingSlashMiddleware:
    """Removes trailing slashes, so that every URL works with and without one, and none redirects."""

    def __init__(self, wsgi: "WSGIApplication"):
        self.wsgi = wsgi

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Set PATH_INFO for the router, and call the next layer."""
        path = _routed(environ).rstrip("/") or "/"
        # werkzeug drops doubled slashes at the start, so that `//x` would be `/x`, but not for checks of PATH_INFO.
        environ["PATH_INFO"] = f"/%2F{path.lstrip('/')}" if path.startswith("//") else path
        return self.wsgi(environ, start_response)


def _routed(environ: "WSGIEnvironment") -> str:
    """Return the path with the _KEPT characters encoded, and all others decoded."""
    path: str = environ.get("PATH_INFO", "")
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if "%" not in sent and "%" not in path and "\n" not in path:
        return path
    raw = sent.partition("?")[0] if sent.startswith("/") else urlsplit(sent).path
    raw = raw.removeprefix(environ.get("SCRIPT_NAME", ""))
    if _decoded(raw) != path:  # another server set it, or a layer changed PATH_INFO
        return _encoded(path)
    return "".join(part.upper() if place % 2 else _encoded(_decoded(part)) for place, part in enumerate(_parts(raw)))


def _parts(raw: str) -> list[str]:
    return _SPLIT_KEPT.split(raw)  # every other one is what it split at


def _decoded(raw: str) -> str:
    return unquote_to_bytes(raw.encode("latin-1", "replace")).decode("latin-1")


def _encoded(path: str) -> str:
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _value(text: str) -> str:
    return "".join(_KEPT.get(part, part) for part in _SPLIT_KEPT.split(text)) if "%" in text else text


class StringConverter(UnicodeConverter):
    """A parameter that is one segment of the path, which may contain an encoded slash."""

    def to_python(self, value: str) -> str:
        """Return the decoded value."""
        return _value(value)

    def to_url(self, value: str) -> str:
        """Return the value as one segment."""
        return quote(str(value), safe=_SAFE)


class RestConverter(PathConverter):
    """A parameter that is the rest of the path, whose slashes may be encoded."""

    def to_python(self, value: str) -> str:
        """Return the decoded value."""
        return _value(value)


def configure(app: Flask) -> None:
    """Turn redirects for slashes off, and decode parameters with the converters above."""
    app.url_map.merge_slashes = False
    app.url_map.converters.update(default=StringConverter, string=StringConverter, path=RestConverter)
    app.wsgi_app = StripTrailingSlashMiddleware(app.wsgi_app)  # type: ignore[method-assign]
