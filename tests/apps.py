"""Applications that tests share: made once for each set of settings, and as new for each test.

Making one takes a quarter of a second, nearly all of it for its routes and their descriptions, which no test changes.
A test that registers something makes an application of its own, by `create_app()`.
"""

import threading
from copy import copy
from typing import Any

from flask import Flask

from catalog.app import create_app
from catalog.cache.client import Client
from catalog.extensions import db

_CONTAINERS = (dict, list, tuple, set)


class Shared:
    """An application, and what it and those parts of it that are ours held when it was made."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        app.test_client().get("/health/live")  # after its first request Flask lets nobody register anything
        self._wsgi_app, self._config, self._extensions = app.wsgi_app, dict(app.config), dict(app.extensions)
        self._held = [(part, _copied(vars(part))) for part in _parts(app)]

    def renew(self) -> Flask:
        """Return the application with its settings, and with nothing that a test has cached, counted or replaced."""
        self.app.wsgi_app = self._wsgi_app
        for present, made in ((self.app.config, self._config), (self.app.extensions, self._extensions)):
            present.clear()
            present.update(made)
        for part, held in self._held:
            vars(part).clear()
            vars(part).update(_copied(held))
            if isinstance(part, Client):
                part._forget()
        return self.app


class Applications:
    """The shared applications of one set of servers, by their settings."""

    def __init__(self) -> None:
        self._shared: dict[str, Shared] = {}

    def get(self, settings: dict[str, Any]) -> Flask:
        """Return the application with these overrides, as new."""
        key = repr(sorted(settings.items()))
        if key not in self._shared:
            self._shared[key] = Shared(create_app(settings))
        return self._shared[key].renew()

    def close(self) -> None:
        """Close all connections."""
        for each in self._shared.values():
            close(each.app)


def close(app: Flask) -> None:
    """Close an application's connections to the database."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _as_new(value) for name, value in values.items()}


def _as_new(value: Any) -> Any:
    if isinstance(value, threading.Event):  # a thread of an earlier test may have left it set
        return threading.Event()
    return copy(value) if type(value) in _CONTAINERS else value


def _parts(app: Flask) -> list[object]:
    """Return the objects of our own classes by which the application does its work, however deep they lie."""
    found: dict[int, object] = {}
    left: list[object] = [app.extensions, app.wsgi_app]
    while left:
        each = left.pop()
        if isinstance(each, _CONTAINERS):
            left += each.values() if isinstance(each, dict) else each
        elif id(each) not in found and type(each).__module__.startswith("catalog.") and hasattr(each, "__dict__"):
            found[id(each)] = each
            left += vars(each).values()
    return list(found.values())
