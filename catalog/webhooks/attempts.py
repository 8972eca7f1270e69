"""An attempt, from the lease to its record."""

from dataclasses import dataclass, replace
from typing import Any

from catalog.redaction import without
from catalog.webhooks import retry
from catalog.webhooks.leases import Leased, Message
from catalog.webhooks.receivers import Receiver
from catalog.webhooks.transfer import Post, Result

GONE = 410
KEPT_RESPONSE = 4_096  # characters of an answer that the log keeps


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request carries with it through the sender: enough to record how it went."""

    leased: Leased
    message: Message
    receiver: Receiver

    def post(self) -> Post:
        """Return the request, whose result will carry this attempt as its key."""
        return self.receiver.post(self.message, self)

    def problem(self) -> Result:
        """Return the result of an attempt that the receiver's problem kept from being made."""
        return Result(self, None, "", 0, self.receiver.problem)


def cleaned(result: Result) -> Result:
    """Return a result without the secrets that the receiver sent back, as one does that echoes its headers."""
    secrets = result.key.receiver.known_secrets
    if not secrets:
        return result
    error = without(result.error, secrets) if result.error else None
    return replace(result, body=without(result.body, secrets), error=error)


def entry(result: Result) -> dict[str, Any]:
    """Return what `leases.record()` wants of a result whose key is an Attempt."""
    attempt: Attempt = result.key
    result = cleaned(result)
    leased = attempt.leased
    return {
        "delivery_id": leased.delivery_id,
        "webhook_id": leased.webhook_id,
        "event_id": leased.event_id,
        "token": leased.token,
        "event": attempt.message.name,
        "attempt": leased.attempts + 1,
        "status_code": result.status_code,
        "response_body": result.body[:KEPT_RESPONSE],
        "response_time_ms": result.milliseconds,
        "error": result.error,
        "retry_in": _retry_in(result, attempt),
        "gone": result.status_code == GONE,
    }


def _retry_in(result: Result, attempt: Attempt) -> float | None:
    """Return the seconds until the next attempt; None after a success, and if none follows."""
    if result.error is None or result.status_code == GONE:
        return None
    failures = attempt.leased.attempts + 1
    return retry.delay(failures, attempt.receiver.policy, attempt.leased.age, result.retry_after)
