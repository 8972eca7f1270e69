"""The service as it runs, for the tables of hostile inputs: one web process, a worker, a sender of webhooks."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from tests.conftest import empty_tables
from tests.processes import running, served, wait_for

PRODUCTS = "/api/v1/products"
OPEN = "127.77.0.1"  # the only network that its webhooks may call; all other loopback is forbidden as in production
MEGABYTES = 8
ENDED = ("Completed", "Failed", "Cancelled")


@dataclass
class Service:
    """Where it listens, and what a client asks most."""

    url: str

    def request(self, method: str, path: str, **kwargs: object) -> requests.Response:
        """Send a request; nothing here takes longer than half a minute."""
        return requests.request(method, self.url + path, timeout=30, **kwargs)

    def get(self, path: str, **kwargs: object) -> requests.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: object) -> requests.Response:
        return self.request("POST", path, **kwargs)

    def upload(self, content: bytes, name: str = "p.csv", **options: str) -> requests.Response:
        return self.post(f"{PRODUCTS}/upload", files={"file": (name, content)}, data=options)

    def imported(self, task: str) -> dict:
        """Wait for an import to end, and return its result."""
        wait_for(lambda: self.get(f"{PRODUCTS}/upload/{task}/status").json()["state"] in ENDED)
        return self.get(f"{PRODUCTS}/import/{task}/result").json()["result"]

    def total(self) -> int:
        return self.get(f"{PRODUCTS}/stats").json()["total"]


@pytest.fixture(scope="package")
def service(app, environment) -> Iterator[Service]:
    settings = {**environment, "UPLOAD_MAX_MB": str(MEGABYTES), "WEBHOOK_ALLOWED_NETWORKS": f"{OPEN}/32"}
    with ExitStack() as stack:
        url = stack.enter_context(served(settings))
        for command in (("worker", "imports"), ("send-webhooks",)):
            stack.enter_context(running(settings, "-m", "catalog.cli", *command))
        yield Service(url)
    empty_tables(app)


@pytest.fixture
def emptied(app, service) -> Iterator[Service]:
    """The service with empty tables, also afterwards."""
    empty_tables(app)
    yield service
    empty_tables(app)


def problem(answer: requests.Response) -> dict:
    """Return an error's body; it must be one of ours, and tell the request's id."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def said(body: dict) -> str:
    """Return all that a problem says, for people and by field."""
    return " ".join([body["detail"], *(f"{each['field']}: {each['message']}" for each in body.get("errors", ()))])
