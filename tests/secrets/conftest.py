"""Webhooks whose receivers really listen, and keys to encrypt with."""

import json
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from tests.webhooks.receivers import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def echo() -> Iterator[Receiver]:
    """A receiver that answers with the headers that it got, as many a server that one tries things out with."""

    def behave(connection, request):
        body = json.dumps(request.headers).encode()
        connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with Receiver(behave) as one:
        yield one


@pytest.fixture
def use_keys(app, monkeypatch):
    """Return a function that sets ENCRYPTION_KEYS."""
    return lambda *keys: monkeypatch.setitem(app.config, "ENCRYPTION_KEYS", list(keys))


@pytest.fixture
def old_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def new_key() -> str:
    return Fernet.generate_key().decode()
