"""Keys, and the application as it is in production."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from catalog.access import SCOPES
from catalog.app import create_app
from catalog.auth import service
from catalog.extensions import db

PRODUCTION = {
    "CATALOG_ENV": "production",
    "SECRET_KEY": "of tests, which nobody else knows",
    "ENCRYPTION_KEYS": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
}
NextKey = Callable[..., str]


@pytest.fixture
def production(committed: Flask, environment: dict[str, str]) -> Iterator[Flask]:
    """The application in production, on the test's database; what it commits is emptied afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, **PRODUCTION}.items():
            patch.setenv(name, value)
        app = create_app({"TESTING": True, "PROPAGATE_EXCEPTIONS": False})
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def outside(production: Flask) -> FlaskClient:
    """A client of production, which has no key yet."""
    return production.test_client()


@pytest.fixture
def new_key(production: Flask) -> NextKey:
    """Return a function that makes a key with these scopes (all but `admin`, if none) and returns its text."""

    def make(*scopes: str, **fields: Any) -> str:
        wanted = list(scopes or SCOPES[:-1])
        with production.app_context():
            return service.create({"name": "Test", "scopes": wanted, **fields})[1]

    return make


def bearer(key: str) -> dict[str, str]:
    """Return the header that sends a key."""
    return {"Authorization": f"Bearer {key}"}


def key_id(key: str) -> str:
    """Return the public part of a key."""
    return key.split("_")[2]


def ago(**span: float) -> datetime:
    """Return a time that has passed."""
    return datetime.now(UTC) - timedelta(**span)
