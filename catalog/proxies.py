"""Whom a request comes from, where it comes through proxies: as their headers say, as far as they are trusted."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix


def register(app: Flask) -> None:
    """Take address and scheme from what TRUSTED_PROXIES proxies added; to be called last, so that all layers see them.

    Entries that came from further out than these are the client's own words, and stay unread.
    """
    trusted = app.config["TRUSTED_PROXIES"]
    if trusted:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=trusted)  # type: ignore[method-assign]
