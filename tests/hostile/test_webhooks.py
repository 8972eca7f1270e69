"""Webhooks that are wrong, or whose receivers are, against the running service and its sender."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook as Official

from tests.hostile.conftest import OPEN, PRODUCTS, Service, problem
from tests.processes import wait_for
from tests.webhooks.receivers import Receiver, TlsReceiver, answer, make_certificate

pytestmark = pytest.mark.processes

HOOKS = "/api/v1/webhooks"
METADATA = "http://169.254.169.254/latest/meta-data/"
FULL_WIDTH = "\uff11\uff12\uff17"

FORBIDDEN = {
    "the address of metadata": METADATA,
    "a short hexadecimal address": "http://0x7f.1:{port}/",
    "a decimal address": "http://2130706433:{port}/",
    "an octal address": "http://0177.0.0.1:{port}/",
    "an IPv4 address as IPv6": "http://[::ffff:127.0.0.1]:{port}/",
    "full-width digits": "http://" + FULL_WIDTH + ".0.0.1:{port}/",
    "a trailing dot": "http://127.0.0.1.:{port}/",
    "a name with a trailing dot": "http://localhost.:{port}/",
    "a user and a password": "http://user:pass@example.com/",
    "a name that hides behind a user": "http://example.com@127.0.0.1:{port}/",
    "a line break": "http://example.com/\r\nHost: evil",
    "another scheme": "file:///etc/passwd",
}


@pytest.fixture
def trap():
    """A receiver where no webhook may go."""
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_address_is_refused_and_never_connected_to(service, trap, name):
    url = FORBIDDEN[name].replace("{port}", str(trap.port))
    refused = service.post(HOOKS, json={"url": url, "events": ["*"]})
    assert refused.status_code == 400
    assert [error["field"] for error in problem(refused)["errors"]] == ["url"]
    assert trap.connections == 0


HEADERS = {
    "a line break in a name": {"X-A\r\nX-B": "1"},
    "a line feed in a name": {"X-A\nX-B": "1"},
    "a line break in a value": {"X-A": "1\r\nX-B: 2"},
    "NUL in a value": {"X-A": "a\0b"},
    "a colon in a name": {"X-A: 1": "2"},
    "a framing header": {"Transfer-Encoding": "chunked"},
    "the host": {"Host": "internal"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_would_be_another_is_refused(service, name):
    body = {"url": "https://8.8.8.8/", "events": ["*"], "headers": HEADERS[name]}
    refused = service.post(HOOKS, json=body)
    assert refused.status_code == 400
    assert problem(refused)["errors"][0]["field"].startswith("headers.")


def hooked(service: Service, url: str, **fields: object) -> str:
    """Return the path of a new webhook for new products."""
    body = {"url": url, "events": ["product.created"], "timeout_seconds": 2, **fields}
    made = service.post(HOOKS, json=body)
    assert made.status_code == 201, made.text
    return made.headers["Location"]


def happen(service: Service) -> None:
    assert service.post(PRODUCTS, json={"name": "Lamp"}).status_code == 201


def attempts(service: Service, hook: str, count: int = 1) -> list[dict]:
    """Wait for so many attempts, and return them, the latest first."""
    return wait_for(lambda: (found := service.get(f"{hook}/logs").json()["items"])[count - 1 :] and found, 15)


def delivery(service: Service, hook: str) -> dict:
    return service.get(f"{hook}/deliveries").json()["items"][0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(emptied, trap, status):
    for place in (METADATA, trap.url):
        with Receiver(answer(status, location=place), OPEN) as receiver:
            hook = hooked(emptied, receiver.url, retry_count=0, durable=False)
            happen(emptied)
            (attempt,) = attempts(emptied, hook)
            emptied.request("DELETE", hook)
        assert (attempt["status_code"], attempt["error"]) == (status, f"HTTP {status}, and redirects are not followed")
    assert trap.connections == 0


def test_a_certificate_that_nobody_vouches_for_is_a_failure_that_names_it(emptied, tmp_path):
    with TlsReceiver(make_certificate(tmp_path), OPEN) as receiver:
        hook = hooked(emptied, receiver.url)
        happen(emptied)
        attempt = attempts(emptied, hook)[-1]
    assert attempt["status_code"] is None
    assert "certificate" in attempt["error"]
    assert receiver.requests == []
    assert delivery(emptied, hook)["status"] == "pending"


def test_410_ends_the_webhook(emptied):
    with Receiver(answer(410), OPEN) as receiver:
        hook = hooked(emptied, receiver.url)
        happen(emptied)
        attempts(emptied, hook)
        wait_for(lambda: not emptied.get(hook).json()["is_active"], 10)
        happen(emptied)
    assert len(receiver.requests) == 1
    assert "410" in emptied.get(hook).json()["last_error"]


def at(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


RETRY_AFTER = {  # what is asked for, and the seconds in which the next attempt then comes
    "huge": (lambda: "9" * 15, 3_500, 3_601),
    "beyond any number": (lambda: "9" * 30, 0, 4),
    "negative": (lambda: "-5", 0, 4),
    "none": (lambda: "", 0, 4),
    "no number": (lambda: "soon", 0, 4),
    "a date to come": (lambda: at(600), 580, 601),
    "a date long past": (lambda: at(-86_400), 0, 4),
    "a date far away": (lambda: "Fri, 31 Dec 9999 23:59:59 GMT", 3_500, 3_601),
}


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_retry_after_is_honoured_within_reason(emptied, name):
    asked, least, most = RETRY_AFTER[name]
    with Receiver(answer(429, retry_after=asked()), OPEN) as receiver:
        hook = hooked(emptied, receiver.url)
        happen(emptied)
        attempts(emptied, hook)
        found = wait_for(lambda: (one := delivery(emptied, hook))["attempts"] == 1 and one, 10)
    due = datetime.fromisoformat(found["next_attempt_at"]) - datetime.now(UTC)
    assert found["status"] == "pending"
    assert least - 2 < due.total_seconds() < most


def test_a_webhook_that_is_deleted_between_retries_is_not_called_again(emptied):
    with Receiver(answer(500), OPEN) as receiver, Receiver(answer(500), OPEN) as later:
        hook = hooked(emptied, receiver.url)
        happen(emptied)
        attempts(emptied, hook)
        assert emptied.request("DELETE", hook).status_code == 204
        hooked(emptied, later.url)
        happen(emptied)
        later.wait(3)  # its second try, within 2.4 s, may come early by chance, its third comes after any second one
    assert len(receiver.requests) == 1
    assert emptied.get(f"{hook}/deliveries").status_code == 404


def test_a_secret_that_is_rotated_between_retries_signs_the_next_attempt(emptied):
    with Receiver(answer(500), OPEN) as receiver:
        hook = hooked(emptied, receiver.url, secret="hush-hush-hush")
        happen(emptied)
        receiver.wait(1)
        rotated = emptied.post(f"{hook}/rotate-secret").json()
        receiver.behave = answer(200)
        first, second = receiver.wait(2)[:2]
    assert first.id == second.id
    assert Official(rotated["secret"]).verify(second.body, second.headers)["event"] == "product.created"
    assert len(second.headers["webhook-signature"].split()) == 2
