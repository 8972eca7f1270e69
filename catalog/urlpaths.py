"""Paths of requests: the slashes that end one are optional, and an encoded slash is data.

A server gives the path decoded, where `A%2F` and `A/` are the same. So it is taken from the request line, and the signs
that would mean something else to the router stay encoded until a converter has found the parameter that they are in.
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
    """Drops the slashes that end a path, so that every address works with and without, and none redirects."""

    def __init__(self, wsgi: "WSGIApplication"):
        self.wsgi = wsgi

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Set PATH_INFO as the router reads it, and pass the request on."""
        environ["PATH_INFO"] = _routed(environ).rstrip("/") or "/"
        return self.wsgi(environ, start_response)


def _routed(environ: "WSGIEnvironment") -> str:
    """Return the path with _KEPT signs encoded, and all others decoded."""
    path: str = environ.get("PATH_INFO", "")
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if "%" not in sent and "%" not in path and "\n" not in path:
        return path
    raw = sent.partition("?")[0] if sent.startswith("/") else urlsplit(sent).path
    raw = raw.removeprefix(environ.get("SCRIPT_NAME", ""))
    if _decoded(raw) != path:  # of another server, or changed on the way
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
    """A parameter that is one segment of the path; an encoded slash is a part of it."""

    def to_python(self, value: str) -> str:
        """Return what was meant."""
        return _value(value)

    def to_url(self, value: str) -> str:
        """Return the value as one segment."""
        return quote(str(value), safe=_SAFE)


class RestConverter(PathConverter):
    """A parameter that is the rest of the path, with slashes in it or encoded ones."""

    def to_python(self, value: str) -> str:
        """Return what was meant."""
        return _value(value)


def configure(app: Flask) -> None:
    """Let no slash redirect, and every parameter be what the client meant."""
    app.url_map.merge_slashes = False
    app.url_map.converters.update(default=StringConverter, string=StringConverter, path=RestConverter)
    app.wsgi_app = StripTrailingSlashMiddleware(app.wsgi_app)  # type: ignore[method-assign]
