"""Test deliveries, which a request sends itself: bounded in time and in number."""

import threading
from dataclasses import replace
from typing import Any

from catalog import outside
from catalog.audit import service as audit
from catalog.database import transaction
from catalog.webhooks import leases, receivers
from catalog.webhooks.attempts import Attempt, cleaned, entry
from catalog.webhooks.models import Webhook
from catalog.webhooks.sender import Sender
from catalog.webhooks.transfer import Result

MAX_SECONDS = 10.0  # also where the webhook's timeout is longer, since the request holds a thread

_of_thread = threading.local()


def send(webhook: Webhook, event: str, payload: dict[str, Any]) -> Result:
    """Send an event to one webhook immediately, without retries, and log it. Raises Unavailable without a free slot.

    Two transactions, since none may span the request: one stores the event, the other its outcome.
    """
    with outside.slot():
        attempt = _written(webhook, event, payload)
        result = attempt.problem() if attempt.receiver.problem else cleaned(_sent(attempt))
    with transaction() as session:
        leases.record(session, [{**entry(result), "retry_in": None}])
    return result


def _written(webhook: Webhook, event: str, payload: dict[str, Any]) -> Attempt:
    with transaction() as session:
        leased = leases.publish_test(session, str(webhook.id), event, payload)
        message = leases.messages(session, [leased.event_id])[leased.event_id]
        receiver = receivers.receivers(session, [leased.webhook_id])[leased.webhook_id]
        audit.record("test", "webhook", webhook.id, after={"event": event})
    return Attempt(leased, message, receiver)


def _sent(attempt: Attempt) -> Result:
    post = attempt.post()
    return _sender().send(replace(post, timeout=min(post.timeout, MAX_SECONDS)))


def _sender() -> Sender:
    """Return this thread's sender, which is never closed: closing libcurl waits for lookups of names that hang."""
    if not hasattr(_of_thread, "sender"):
        _of_thread.sender = receivers.new_sender()
    return _of_thread.sender  # type: ignore[no-any-return]
