"""A request that is repeated with its `Idempotency-Key` does its work once: the answer is kept, and given again.

The record is written in the transaction of the work, as its last statement. So there is a record exactly where the
work was done: whatever is killed, and whenever, nothing is left "in progress". Who else comes with the key meanwhile
finds an advisory lock that lasts as long as that transaction.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, request
from sqlalchemy import text
from sqlalchemy.orm import Session

from catalog import encryption
from catalog.access import caller
from catalog.database import delete_in_batches, transaction
from catalog.errors import CatalogError, ValidationFailed, field_error
from catalog.idempotency.models import IdempotencyRecord
from catalog.reencryption import Tally, each_row

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
HOURS = 24
BATCH = 1_000
MOST_BATCHES = 20  # in one sweep, so that the clock's others are not held up

_KEPT_HEADERS = ("Content-Type", "ETag", "Location")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")

View = Callable[..., Any]


class KeyReused(CatalogError):
    status, code = 422, "idempotency_key_reused"


class UnderWay(CatalogError):
    """A request with this key is at work at this moment."""

    status, code = 409, "idempotency_key_in_use"


class _Unkept(Exception):
    """An answer that is given, and whose work is undone."""

    def __init__(self, response: Response):
        super().__init__(response.status)
        self.response = response


@dataclass(frozen=True)
class Terms:
    """What makes two requests the same, and which answers are kept.

    `fingerprint` gets the view's arguments; None says that the request changes nothing, and its key does not matter.
    What is not kept is undone. `is_sealed` encrypts the record, for answers that show a secret.
    """

    fingerprint: Callable[..., bytes | None]
    keeps: Callable[[Response], bool] = lambda response: response.status_code < 400
    is_sealed: bool = False


def once(view: View, terms: Terms) -> View:
    """Decorate a view that changes something: requests with an `Idempotency-Key` run it in one transaction, once.

    Without the header nothing is different. Raises ValidationFailed for a key that cannot be one, KeyReused for one
    that came with another content, UnderWay.
    """

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not was_asked():
            return view(*args, **kwargs)
        record_id = _record_id(_key())
        fingerprint = terms.fingerprint(*args, **kwargs)
        work = functools.partial(view, *args, **kwargs)
        return work() if fingerprint is None else _once(record_id, fingerprint, work, terms)

    return wrapper


def was_asked() -> bool:
    """Tell whether the current request has an `Idempotency-Key`."""
    return HEADER in request.headers


def _key() -> str:
    key = request.headers[HEADER]
    if not _VISIBLE.fullmatch(key):
        raise ValidationFailed([field_error(HEADER, "A key has 1 to 255 visible ASCII characters, and no space.")])
    return key


def _record_id(key: str) -> bytes:
    """Keys are the caller's own, and apart for each address: no part of the scope holds a NUL."""
    scope = "\0".join((caller().id, request.method, request.path, key))
    return hashlib.sha256(scope.encode()).digest()


def _once(record_id: bytes, fingerprint: bytes, work: View, terms: Terms) -> Response:
    try:
        with transaction() as session:
            record = _find(session, record_id)
            if record is not None:
                return _replayed(record, fingerprint)
            response = current_app.make_response(work())
            if not terms.keeps(response):
                raise _Unkept(response)
            _keep(session, record_id, fingerprint, response, terms.is_sealed)
            return response
    except _Unkept as unkept:
        return unkept.response


# Two statements: the second one's snapshot must be younger than the lock.
_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = text(f"""
    SELECT fingerprint, status, headers, body, is_sealed FROM idempotency_records
    WHERE id = :id AND created_at > now() - interval '{HOURS} hours'
""")
_KEEP = text("""
    INSERT INTO idempotency_records (id, fingerprint, status, headers, body, is_sealed)
    VALUES (:id, :fingerprint, :status, CAST(:headers AS jsonb), :body, :is_sealed)
    ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
        headers = excluded.headers, body = excluded.body, is_sealed = excluded.is_sealed, created_at = now()
""")  # what it may find is one that has expired and is not swept yet


def _find(session: Session, record_id: bytes) -> Any:
    lock = int.from_bytes(record_id[:8], signed=True)
    if not session.scalar(_LOCK, {"lock": lock}):
        raise UnderWay("A request with this Idempotency-Key is being answered just now.", Retry_After="1")
    return session.execute(_FIND, {"id": record_id}).one_or_none()


def _replayed(record: Any, fingerprint: bytes) -> Response:
    if bytes(record.fingerprint) != fingerprint:
        raise KeyReused(f"This {HEADER} came with another content before. Please take a new key for a new request.")
    body = encryption.decrypt(record.body).encode() if record.is_sealed else bytes(record.body)
    return Response(body, record.status, {**record.headers, REPLAYED: "true"})


def _keep(session: Session, record_id: bytes, fingerprint: bytes, response: Response, is_sealed: bool) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = response.get_data()
    values = {
        "id": record_id,
        "fingerprint": fingerprint,
        "status": response.status_code,
        "headers": current_app.json.dumps(headers),
        "body": encryption.encrypt(body.decode()) if is_sealed else body,
        "is_sealed": is_sealed,
    }
    session.execute(_KEEP, values)


_PRUNE = text(f"""
    DELETE FROM idempotency_records WHERE id = ANY(ARRAY(
        SELECT id FROM idempotency_records WHERE created_at < now() - interval '{HOURS} hours' LIMIT {BATCH}
    ))
""")


def prune() -> int:
    """Delete the records that have expired, in batches; return how many."""
    return delete_in_batches(_PRUNE, {}, BATCH, MOST_BATCHES)


def reencrypt() -> Tally:
    """Encrypt the answers that show a secret with the first of ENCRYPTION_KEYS, and return how many there were."""
    tally = Tally()

    def renew(record: IdempotencyRecord) -> None:
        record.body = tally.renew(record.body, f"the idempotency record {record.id.hex()}")

    each_row(IdempotencyRecord, renew, IdempotencyRecord.is_sealed)
    return tally


__all__ = [
    "HEADER",
    "REPLAYED",
    "IdempotencyRecord",
    "KeyReused",
    "Terms",
    "UnderWay",
    "once",
    "prune",
    "reencrypt",
    "was_asked",
]
