"""Webhooks as the sender needs them: secrets in the clear, in memory only, and the request for an event."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, text

from catalog import encryption
from catalog.webhooks import addresses, secret_headers, signing
from catalog.webhooks.leases import Message
from catalog.webhooks.outbox import Executor
from catalog.webhooks.retry import Policy
from catalog.webhooks.sender import Sender
from catalog.webhooks.transfer import Post

USER_AGENT = "Catalog-Webhook/1.0"
SHORTEST_MASKED = 4  # less would mask half of an answer by chance


def open_addresses() -> addresses.Policy:
    """Return the judge of addresses as the settings have it."""
    settings = current_app.config
    return addresses.Policy.of(settings["WEBHOOK_ALLOWED_NETWORKS"], settings["WEBHOOK_ALLOWED_PORTS"])


def new_sender() -> Sender:
    """Return a sender as the settings have it."""
    return Sender(open_addresses(), current_app.config["WEBHOOK_CA_FILE"])


@dataclass(frozen=True)
class Receiver:
    """Who gets a delivery. `problem` says why nothing can be sent, e.g. a secret that no key opens.

    `known_secrets` are what must not be kept of an answer: the secrets and the values of secret headers.
    """

    url: str
    timeout_seconds: int
    policy: Policy
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    known_secrets: tuple[str, ...] = field(default=(), repr=False)
    problem: str | None = None
    owner: str = "-"

    def post(self, message: Message, key: Any) -> Post:
        """Return the request for an event, signed for this moment."""
        body = signing.body(message.id, message.name, message.created_at, message.data)
        headers = {
            **self.headers,
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-Webhook-Event": message.name,
            **signing.headers(self.secrets, message.id, int(time.time()), body),
        }
        return Post(key, self.url, headers, body, self.timeout_seconds, self.owner)


_RECEIVERS = text("""
    SELECT id, url, created_by, headers, secret_headers, timeout_seconds, retry_count, durable, secret,
        CASE WHEN previous_secret_until > now() THEN previous_secret END AS previous_secret
    FROM webhooks WHERE id IN :ids
""").bindparams(bindparam("ids", expanding=True))


def receivers(database: Executor, ids: Sequence[str]) -> dict[str, Receiver]:
    """Return the receivers of webhooks by id; those that were deleted are missing."""
    return {str(row.id): _receiver(row) for row in database.execute(_RECEIVERS, {"ids": list(ids)})}


def _receiver(row: Any) -> Receiver:
    policy = Policy(row.retry_count, row.durable)
    try:
        secrets = tuple(encryption.decrypt(stored) for stored in (row.secret, row.previous_secret) if stored)
        secret = secret_headers.opened(row.secret_headers)
    except encryption.Undecryptable as error:
        return Receiver(row.url, row.timeout_seconds, policy, problem=str(error))
    known = _recognisable((*secrets, *secret.values()))
    headers, owner = {**row.headers, **secret}, row.created_by or "-"
    return Receiver(row.url, row.timeout_seconds, policy, headers, secrets, known, owner=owner)


def _recognisable(secrets: Sequence[str]) -> tuple[str, ...]:
    """Secrets in the forms in which an answer may hold them: whole, without `Bearer`, escaped in JSON."""
    forms = {form for secret in secrets for form in (secret, secret.rpartition(" ")[2], json.dumps(secret)[1:-1])}
    return tuple(form for form in forms if len(form) >= SHORTEST_MASKED)
