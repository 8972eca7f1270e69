"""The rules of API keys. Every function that writes is one transaction, or joins the caller's."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from catalog.access import Caller
from catalog.audit import service as audit
from catalog.auth import keyring
from catalog.auth.models import ApiKey
from catalog.auth.tokens import Token
from catalog.database import transaction
from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.pagination import offset_page

PREVIOUS_VALID_HOURS = 24


def page(query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of keys, the newest first, for a loaded KeyQuerySchema.

    The page is {"items", "total", "limit", "offset", "has_more"}.
    """
    filtered = select(ApiKey)
    if "revoked" in query:
        filtered = filtered.where(ApiKey.revoked_at.is_not(None) == query["revoked"])
    total = db.session.scalar(filtered.with_only_columns(func.count(ApiKey.id))) or 0
    limit, offset = query["limit"], query["offset"]
    order = (ApiKey.created_at.desc(), ApiKey.id)
    items = db.session.scalars(filtered.order_by(*order).limit(limit).offset(offset)).all()
    return offset_page(items, total, limit, offset)


def get(key_id: str) -> ApiKey:
    """Return a key. Raises NotFound."""
    return _found(key_id)


def create(fields: dict[str, Any]) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which nobody can read again."""
    token = _new_token()
    with transaction() as session:
        key = ApiKey(id=token.id, digest=token.digest, **fields)
        session.add(key)
        session.flush()
        audit.record("create", "key", key.id, after=_audited(key))
        return key, token.text


def update(key_id: str, changes: dict[str, Any]) -> ApiKey:
    """Change the given fields of a key, in every process within 5 s. Raises NotFound, and Conflict if it is revoked."""
    with transaction() as session:
        key = _locked(key_id)
        before = _audited(key)
        for name, value in changes.items():
            setattr(key, name, value)
        session.flush()
        audit.record("update", "key", key_id, before, _audited(key))
        return key


def rotate(key_id: str, previous_valid_hours: int = PREVIOUS_VALID_HOURS) -> tuple[ApiKey, str]:
    """Give a key a new secret and return it with its new text; the old secret works for so many hours more.

    An older one ends at once. Raises NotFound, and Conflict if the key is revoked.
    """
    token = _new_token(key_id)
    with transaction() as session:
        key = _locked(key_id)
        key.previous_digest = key.digest
        key.previous_valid_until = datetime.now(UTC) + timedelta(hours=previous_valid_hours)
        key.digest = token.digest
        session.flush()
        audit.record("rotate", "key", key_id)
        return key, token.text


def revoke(key_id: str) -> ApiKey:
    """End a key for good, in every process within 5 s; once more changes nothing. Raises NotFound."""
    with transaction() as session:
        key = _found(key_id, with_for_update=True)
        if key.revoked_at is None:
            key.revoked_at = datetime.now(UTC)
            audit.record("revoke", "key", key_id)
        session.flush()
        return key


def read(text: str) -> tuple[str, bytes] | None:
    """Return the id and the digest of a key that somebody sent, valid or not; None for what was never one of ours."""
    return keyring.of(current_app).signer.read(text)


def bearer(key_id: str, digest: bytes, address: str) -> Caller:
    """Return who comes with a key, by what `read()` made of it. Raises Unauthorized, Forbidden, Unavailable."""
    return keyring.of(current_app).bearer(key_id, digest, address)


def _new_token(key_id: str | None = None) -> Token:
    return keyring.of(current_app).signer.new(key_id)


def _locked(key_id: str) -> ApiKey:
    """Return a key that is not revoked, locked until the transaction ends."""
    key = _found(key_id, with_for_update=True)
    if key.revoked_at is not None:
        raise Conflict("The key is revoked, for good. Make another.")
    return key


def _found(key_id: str, *, with_for_update: bool = False) -> ApiKey:
    key = None
    if "\0" not in key_id:  # which PostgreSQL cannot look for
        key = db.session.get(ApiKey, key_id, with_for_update=with_for_update or None, populate_existing=True)
    if key is None:
        raise NotFound("There is no such key.")
    return key


def _audited(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ("name", "scopes", "networks", "expires_at")}
