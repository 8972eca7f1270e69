"""Who sent a request and by which scheme: from the connection, or from the headers of trusted proxies."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from catalog.addresses import canonical

Environ = dict[str, Any]

_SCHEMES = ("http", "https")


def register(app: Flask) -> None:
    """Set the client's address and scheme for all layers; to be called last, so that all of them see it."""
    app.wsgi_app = ClientAddress(app.wsgi_app, app.config["TRUSTED_PROXIES"])  # type: ignore[method-assign]


class ClientAddress:
    """WSGI layer, the only place where REMOTE_ADDR and `X-Forwarded-*` are read.

    Each of the `trusted` proxies appends one entry to X-Forwarded-For. Entries before those were sent by the client and
    are ignored. Where there are fewer entries than proxies, all are. Many proxies overwrite X-Forwarded-Proto: a single
    entry is that of the innermost one. werkzeug's ProxyFix would ignore it, and would keep ports in addresses.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], trusted: int):
        self._application, self._trusted = application, trusted

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Set the request's address and scheme, and pass it on."""
        peer = environ.get("REMOTE_ADDR", "")  # blank where the socket is one of the file system
        if self._trusted:
            addresses = _entries(environ, "HTTP_X_FORWARDED_FOR")[-self._trusted :]
            peer = (canonical(addresses[0]) if len(addresses) == self._trusted else None) or peer
            scheme = _entries(environ, "HTTP_X_FORWARDED_PROTO")[-self._trusted :][0].strip().lower()
            environ["wsgi.url_scheme"] = scheme if scheme in _SCHEMES else environ["wsgi.url_scheme"]
        environ["REMOTE_ADDR"] = canonical(peer) or peer
        return self._application(environ, start_response)


def _entries(environ: Environ, header: str) -> list[str]:
    return str(environ.get(header, "")).split(",")
