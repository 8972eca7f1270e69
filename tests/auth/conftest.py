"""Keys, and the application as it is in production."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from catalog.access import SCOPES
from catalog.app import create_app
from catalog.auth import service
from catalog.users import passwords
from catalog.users import service as users
from tests.apps import Shared, close
from tests.processes import served
from tests.timings import Times

PRODUCTION = {
    "CATALOG_ENV": "production",
    "SECRET_KEY": "of tests, which nobody else knows",
    "ENCRYPTION_KEYS": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
    "RATE_LIMIT_WRONG_KEYS": "off",  # they are tried by thousands here
}
SERVED = {**PRODUCTION, "WEB_DRAIN_SECONDS": "0"}  # so that a web server ends when its test does
COOKIE = "__Host-catalog_session"
HTML = {"Accept": "text/html,application/xhtml+xml"}
PASSWORD = "correct horse battery staple"
OVERVIEW = "/console/overview"
REAL_HASHER = passwords._hasher
NextKey = Callable[..., str]


def make_production(environment: dict[str, str]) -> Flask:
    """Return another application in production."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, **PRODUCTION}.items():
            patch.setenv(name, value)
        return create_app({"TESTING": True, "PROPAGATE_EXCEPTIONS": False})


@pytest.fixture(scope="session")
def shared_production(environment: dict[str, str]) -> Iterator[Shared]:
    """The application in production, one for all tests."""
    shared = Shared(make_production(environment))
    yield shared
    close(shared.app)


@pytest.fixture
def production(committed: Flask, shared_production: Shared) -> Flask:
    """The application in production as new, on the test's database; what it commits is emptied afterwards."""
    return shared_production.renew()


@pytest.fixture
def own_production(committed: Flask, environment: dict[str, str]) -> Iterator[Flask]:
    """The same for a test that registers something."""
    app = make_production(environment)
    yield app
    close(app)


@pytest.fixture(scope="package")
def production_url(environment: dict[str, str]) -> Iterator[str]:
    """The web server in production, which believes a key for a second, one for all tests."""
    with served({**environment, **SERVED, "WEB_THREADS": "4"}, times=believed_for(1.0)) as url:
        yield url


def believed_for(seconds: float) -> Times:
    """Return the times of a service that believes so long what it knows of a key."""
    return {"catalog.auth.keyring.BELIEVED_SECONDS": seconds, "catalog.auth.keyring.RENEWED_SECONDS": seconds / 2}


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash as the service does."""
    monkeypatch.setattr(passwords, "_hasher", REAL_HASHER)
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


@pytest.fixture(scope="package", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash with the least work, but in the tests that look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        passwords._decoy.cache_clear()
        yield
    passwords._decoy.cache_clear()


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


@pytest.fixture
def ada(production):
    """A user called Ada, who may do everything."""
    with production.app_context():
        return users.create({"name": "Ada", "password": PASSWORD, "scopes": ["admin"]}).id


class Browser:
    """A client that loads the sign-in page and sends its forms."""

    def __init__(self, production):
        self.client = production.test_client()

    def sign_in(self, next="", headers=None, address="127.0.0.1", **given):
        page = self.client.get(f"/console/sign-in?next={next}", headers=HTML)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
        form = {"csrf_token": token, "next": next, **given}
        around = {"REMOTE_ADDR": address}
        return self.client.post("/console/sign-in", data=form, headers={**HTML, **(headers or {})}, environ_base=around)

    def post(self, path, **options):
        page = self.client.get("/console/account", headers=HTML).text
        token = page.partition('name="csrf-token" content="')[2][:43]
        return self.client.post(path, headers={"X-CSRF-Token": token}, **options)

    def cookie(self):
        found = self.client.get_cookie(COOKIE)
        return found and found.value

    def status(self, path=OVERVIEW, **around):
        return self.client.get(path, headers=HTML, environ_base=around).status_code


@pytest.fixture
def browser(production):
    return Browser(production)
