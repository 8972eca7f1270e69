"""Signatures over the exact bytes that are sent, and how a receiver checks them. Pure.

Two forms go side by side: `X-Webhook-Signature`, the hexadecimal HMAC-SHA256 of the body, and the three headers
of Standard Webhooks (https://www.standardwebhooks.com), which also cover the id and the time.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

PREFIX = "whsec_"
SIMPLE, SIMPLE_PREVIOUS = "X-Webhook-Signature", "X-Webhook-Signature-Previous"
TOLERANCE_SECONDS = 300


def new_secret() -> str:
    """Return a random secret of 32 bytes in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def standard_key(secret: str) -> bytes:
    """Return the key of the Standard Webhooks signature: `whsec_` is followed by base64, other secrets are text.

    Raises ValueError for a `whsec_` secret that is no base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("What follows whsec_ is not base64.") from error


def body(event_id: str, event: str, created_at: datetime, data: str) -> bytes:
    """Return the bytes of a delivery; `data` is JSON text and goes in as it is, so retries send the same bytes."""
    moment = created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f'{{"id":"{event_id}","event":"{event}","timestamp":"{moment}","data":{data}}}'.encode()


def headers(keys: Sequence[str], event_id: str, timestamp: int, sent: bytes) -> dict[str, str]:
    """Return the id, time and signature headers of a delivery.

    `keys` are the webhook's secrets, the current one first, the one it replaces after it; none: no signatures.
    `timestamp` is the time of the attempt in seconds since 1970.
    """
    found = {"webhook-id": event_id, "webhook-timestamp": str(timestamp)}
    if keys:
        found["webhook-signature"] = " ".join(_standard(key, event_id, timestamp, sent) for key in keys)
    for name, key in zip((SIMPLE, SIMPLE_PREVIOUS), keys, strict=False):
        found[name] = _simple(key, sent)
    return found


def _simple(secret: str, sent: bytes) -> str:
    return "sha256=" + hmac.digest(secret.encode(), sent, "sha256").hex()


def _standard(secret: str, event_id: str, timestamp: int, sent: bytes) -> str:
    signed = hmac.digest(standard_key(secret), b"%s.%d.%s" % (event_id.encode(), timestamp, sent), hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()


def problem(secret: str, received: Mapping[str, str], body_received: bytes, now: float) -> str | None:
    """Return what is wrong with a delivery's signatures, or None: what a receiver does with what it got.

    `received` are the request's headers by lower-case name.
    """
    try:
        timestamp = int(received["webhook-timestamp"])
        signatures = received["webhook-signature"].split()
    except (KeyError, ValueError):
        return "The Standard Webhooks headers are missing."
    if abs(now - timestamp) > TOLERANCE_SECONDS:
        return "The timestamp is more than five minutes off."
    expected = _standard(secret, received.get("webhook-id", ""), timestamp, body_received)
    if not any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures):
        return "No signature matches."
    simple = [received.get(name.lower(), "").encode() for name in (SIMPLE, SIMPLE_PREVIOUS)]
    if not any(hmac.compare_digest(_simple(secret, body_received).encode(), given) for given in simple):
        return "X-Webhook-Signature does not match."
    return None
