"""A webhook sender that really runs, and receivers that really listen."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from catalog.database import transaction
from catalog.webhooks import dispatch, receivers, service
from catalog.webhooks.addresses import Policy
from catalog.webhooks.sender import Sender
from tests.webhooks.receivers import Receiver

OPEN = Policy.of(["127.0.0.0/8", "::1/128"], [80])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def make_sender():
    """Return senders, loopback open unless a policy is given, that are closed after the test."""
    made = []

    def make(policy=OPEN, **options):
        made.append(Sender(policy, **options))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


@pytest.fixture
def sending(committed):
    """Return a context in which a dispatcher runs on the test's database, as the `webhooks` process would."""

    @contextmanager
    def running():
        with committed.app_context():
            dispatcher = dispatch.Dispatcher(committed, receivers.new_sender())
        thread = threading.Thread(target=dispatcher.run)
        thread.start()
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            thread.join(10)
            assert not thread.is_alive()

    return running


@pytest.fixture
def make_webhook(committed):
    def make(url, events=("*",), **fields):
        with committed.app_context():
            return service.create({"url": url, "events": list(events), "retry_count": 3, **fields}).id

    return make


@pytest.fixture
def publish(committed):
    """Publish events named for a number each, in one transaction; return nothing, like the service."""

    def write(count=1, event="product.created", **data):
        with committed.app_context(), transaction():
            for number in range(count):
                service.publish(event, {"id": str(number), **data})

    return write


@pytest.fixture
def rows(committed):
    """Run a query, or a change, and return its rows as mappings."""

    def run(statement, **values):
        with committed.app_context(), transaction() as session:
            result = session.execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []  # type: ignore[attr-defined]

    return run
