"""The rules of webhooks, and `publish()`, which every feature may call. See history.py and replay.py for the rest."""

import uuid
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog import access, encryption, outside, quotas, replica
from catalog.audit import service as audit
from catalog.database import after_commit, transaction
from catalog.errors import NotFound, ValidationFailed, field_error
from catalog.extensions import db
from catalog.pagination import offset_page
from catalog.redaction import MASK
from catalog.reencryption import Tally
from catalog.webhooks import activity, event_scopes, outbox, receivers, reencryption, secret_headers, signing, testing
from catalog.webhooks.addresses import Refused, Target, parse
from catalog.webhooks.models import Webhook
from catalog.webhooks.names import Names
from catalog.webhooks.transfer import Result

ROTATION = timedelta(hours=24)
LOOKUP_SECONDS = 1.0
_TEXTS = ("url", "description", "headers", "secret_headers", "secret")
_REDIRECTING = frozenset({"url", "events", "headers", "is_active"})  # they decide which data is sent where
_WRITTEN = (*_TEXTS, "events", "is_active", "retry_count", "durable", "timeout_seconds")

last_day = activity.last_day  # this and the next two for who looks at all webhooks at once
figures = activity.figures
may_read = event_scopes.may_read

_names = Names()


def publish(event: str, data: dict[str, Any]) -> None:
    """Write an event and its deliveries in the current transaction, and wake the sender after its commit.

    `data` may hold Decimals, dates and UUIDs; over 64 KB it is thinned to its ids.
    """
    with transaction() as session:
        if outbox.publish(session, event, data):
            after_commit(ring)


def publish_in(database: outbox.Executor, event: str, data: dict[str, Any]) -> None:
    """Like `publish()`, in the transaction of the given connection, whose commit wakes the sender."""
    if outbox.publish(database, event, data):
        outbox.notify(database)


def publish_rows(database: outbox.Executor, event: str, rows: str, parameters: dict[str, Any]) -> int:
    """Like `publish_in()`, for every row of an SQL query at once; return how many deliveries that makes.

    `rows` yields one column `data` of JSON.
    """
    deliveries = outbox.publish_rows(database, event, rows, parameters)
    if deliveries:
        outbox.notify(database)
    return deliveries


def ring() -> None:
    """Wake the sender. It would find the work within a second anyway."""
    with transaction() as session:
        outbox.ring(session)


@replica.reads
def page(session: Session, limit: int, offset: int) -> dict[str, Any]:
    """Return one page of the webhooks, the oldest first, as {"items", "total", "limit", "offset", "has_more"}."""
    total = session.scalar(select(func.count()).select_from(Webhook)) or 0
    items = session.scalars(select(Webhook).order_by(Webhook.id).limit(limit).offset(offset)).all()
    return offset_page(items, total, limit, offset)


def get(webhook_id: uuid.UUID) -> Webhook:
    """Return a webhook. Raises NotFound."""
    webhook = db.session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook


def create(fields: dict[str, Any]) -> Webhook:
    """Add a webhook and return it.

    Raises Forbidden for events that the caller may not read, ValidationFailed for a URL that must not be
    called, and QuotaExceeded.
    """
    access.demand(event_scopes.scopes_of(fields["events"]))
    _judge(fields["url"])
    creator = access.caller().id
    with transaction() as session:
        most = current_app.config["WEBHOOKS_PER_KEY"]
        quotas.check_number(session, "webhooks", creator, most, "WEBHOOKS_PER_KEY")
        webhook = Webhook(**_stored(fields, {}), created_by=creator)
        session.add(webhook)
        session.flush()
        audit.record("create", "webhook", webhook.id, after=_audited(webhook))
        return webhook


def update(webhook_id: uuid.UUID, changes: dict[str, Any]) -> Webhook:
    """Change the given fields of a webhook; one that is switched on again starts without its old failures.

    Raises NotFound, Forbidden as `create()`, and ValidationFailed for a URL that must not be called, or that leads
    secret headers elsewhere.
    """
    if "url" in changes:
        _judge(changes["url"])
    with transaction() as session:
        webhook = _locked(webhook_id)
        if _REDIRECTING & changes.keys():
            access.demand(event_scopes.scopes_of(changes.get("events", webhook.events)))
        _check_moved(webhook, changes)
        before = _audited(webhook)
        if changes.get("is_active") and not webhook.is_active:
            webhook.failing_since = None
        for name, value in _stored(changes, webhook.secret_headers).items():
            setattr(webhook, name, value)
        webhook.updated_at = func.now()
        session.flush()
        audit.record("update", "webhook", webhook_id, before, _audited(webhook))
        after_commit(ring)  # switched on again, it may have deliveries waiting
        return webhook


def delete(webhook_id: uuid.UUID) -> None:
    """Remove a webhook; nothing more is sent to it. Its history is pruned later. Raises NotFound."""
    with transaction() as session:
        webhook = _locked(webhook_id)
        session.delete(webhook)
        session.flush()
        audit.record("delete", "webhook", webhook_id, before=_audited(webhook))


def rotate_secret(webhook_id: uuid.UUID, secret: str | None = None) -> dict[str, Any]:
    """Give a webhook a new secret; for 24 hours the one before signs too.

    Returns {"webhook", "secret", "previous_valid_until"}, with `secret` None unless it was made up here: then
    this is the only time that it is shown. Raises NotFound.
    """
    made_up = None if secret else signing.new_secret()
    with transaction() as session:
        webhook = _locked(webhook_id)
        webhook.previous_secret = webhook.secret
        webhook.previous_secret_until = session.scalar(select(func.now() + ROTATION)) if webhook.secret else None
        webhook.secret = encryption.encrypt(secret or made_up or "")
        webhook.updated_at = func.now()
        session.flush()
        audit.record("rotate_secret", "webhook", webhook_id)
        return {"webhook": webhook, "secret": made_up, "previous_valid_until": webhook.previous_secret_until}


def reencrypt() -> Tally:
    """Encrypt every stored secret with the first of ENCRYPTION_KEYS, and return what there was to do."""
    return reencryption.run()


def test(webhook_id: uuid.UUID, event: str, payload: dict[str, Any]) -> Result:
    """Send a test event as `testing.send()` does. Raises NotFound, Unavailable."""
    return testing.send(get(webhook_id), event, payload)


def _judge(url: str) -> None:
    try:
        host = parse(url).host
        resolved = _resolved(host) if isinstance(host, str) else ()
        receivers.open_addresses().judge_url(url, resolved)
    except Refused as error:
        raise ValidationFailed([field_error("url", str(error), "refused")]) from error


def _resolved(name: str) -> tuple[str, ...]:
    """Return the addresses of a name, if they are found quickly; the sender judges them again before it connects."""
    release = outside.take()
    try:
        return _names.wait(name, LOOKUP_SECONDS if release else 0, access.caller().id)
    finally:
        if release:
            release()


def _stored(fields: dict[str, Any], kept_headers: dict[str, str]) -> dict[str, Any]:
    """Return the columns to store. A new secret replaces the old at once; rotation keeps both."""
    stored = dict(fields)
    if "headers" in fields:
        stored["headers"], stored["secret_headers"] = secret_headers.sealed(fields["headers"], kept_headers)
    if "secret" in fields:
        stored["secret"] = encryption.encrypt(fields["secret"]) if fields["secret"] else None
        stored |= dict.fromkeys(("previous_secret", "previous_secret_until"))
    return stored


def _check_moved(webhook: Webhook, changes: dict[str, Any]) -> None:
    """Reject sending stored secret headers to a new server, which would reveal them."""
    if "url" not in changes or _server(changes["url"]) == _server(webhook.url):
        return
    given = {name.lower(): value for name, value in changes.get("headers", webhook.shown_headers).items()}
    kept = [name for name in webhook.secret_headers if given.get(name.lower()) == MASK]
    if kept:
        message = "The URL leads to another server now: give the value again."
        raise ValidationFailed([field_error(f"headers.{name}", message, "required") for name in kept])


def _server(url: str) -> tuple[str, Target]:
    return url.partition(":")[0].lower(), parse(url)


def _audited(webhook: Webhook) -> dict[str, Any]:
    """Return what a client may write; of the secret and the headers the audit only tells that they changed."""
    return {name: getattr(webhook, name) for name in _WRITTEN}


def _locked(webhook_id: uuid.UUID) -> Webhook:
    webhook = db.session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook
