"""What a process knows of the keys: looked up in PostgreSQL, and believed for a few seconds.

A revocation so reaches every process in time, whatever Redis does. Without PostgreSQL a key that is known works on for
as long, and is answered with 503 afterwards; nobody is ever let in unasked.
"""

import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from flask import Flask
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from catalog import keyfile
from catalog.access import Caller
from catalog.auth.models import ApiKey
from catalog.auth.tokens import Signer
from catalog.auth.uses import Uses
from catalog.errors import Forbidden, Unavailable
from catalog.gate import HOW, unauthorized

log = logging.getLogger(__name__)

BELIEVED_SECONDS = 4.0  # after the look-up began; the rest of five is for the request that is under way
RENEWED_SECONDS = 2.0  # by one request, while the others go on with what is known
RETRY_SECONDS = 0.5
MOST_KNOWN = 10_000

_NO_KEY = ("", b"")
_ROW = select(
    ApiKey.id,
    ApiKey.name,
    ApiKey.scopes,
    ApiKey.networks,
    ApiKey.digest,
    ApiKey.previous_digest,
    ApiKey.previous_valid_until,
    ApiKey.expires_at,
    ApiKey.revoked_at,
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the table had it, and who came with it first; times are in seconds since 1970."""

    caller: Caller
    networks: tuple[IPv4Network | IPv6Network, ...]
    digest: bytes
    previous_digest: bytes
    previous_until: float
    ends: float
    revoked: bool


@dataclass(slots=True)
class Known:
    """What was found under an id, and how long that counts (`time.monotonic()`)."""

    key: Key | None
    due: float
    until: float


class Keyring:
    """The keys of one process. `__call__` is the gate's check."""

    def __init__(self, signer: Callable[[], Signer], engine: Engine):
        self._make_signer, self._engine = signer, engine
        self._signer: Signer | None = None
        self._known: dict[str, Known] = {}
        self._uses = Uses(engine)

    def __call__(self, text: str, address: str) -> Caller:
        """Return whose key it is. Raises Unauthorized, Forbidden; without a database Unavailable or SQLAlchemyError."""
        key_id, digest = self.signer.read(text) or _NO_KEY
        return self.bearer(key_id, digest, address)

    def bearer(self, key_id: str, digest: bytes, address: str) -> Caller:
        """Authenticate by a key's id and the digest of its secret, which is all that a session stores."""
        now = time.time()
        key = self._look_up(key_id, address) if key_id else None
        if key is None or not _fits(digest, key, now):
            raise unauthorized(f"This is no key of this service. {HOW}", sent=True)
        if key.revoked:
            raise unauthorized("This key was revoked. An administrator can make another.", sent=True)
        if now >= key.ends:
            raise unauthorized("This key has expired. An administrator can make another.", sent=True)
        if key.networks and not _within(address, key.networks):
            raise Forbidden("This key may not be used from this address.")
        self._uses.note(key_id, now)
        return key.caller if key.caller.address == address else replace(key.caller, address=address)

    @property
    def signer(self) -> Signer:
        """What makes and reads keys; its secret is not asked for before the first."""
        if self._signer is None:
            self._signer = self._make_signer()
        return self._signer

    def _look_up(self, key_id: str, address: str) -> Key | None:
        known, now = self._known.get(key_id), time.monotonic()
        if known is None or now >= known.until:
            return self._read(key_id, address)
        if now >= known.due:
            known.due = now + RETRY_SECONDS  # the others need not try meanwhile
            try:
                return self._read(key_id, address)
            except (SQLAlchemyError, Unavailable) as error:
                if time.monotonic() >= known.until:
                    raise
                log.warning("A key could not be looked up again: %s", type(error).__name__)
        return known.key

    def _read(self, key_id: str, address: str) -> Key | None:
        began = time.monotonic()
        with self._engine.connect() as connection:
            row = connection.execute(_ROW.where(ApiKey.id == key_id)).one_or_none()
        known = Known(_key(row, address) if row else None, began + RENEWED_SECONDS, began + BELIEVED_SECONDS)
        if time.monotonic() >= known.until:
            raise Unavailable("The database took too long to look up the key. Please try again.")
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key_id] = known
        return known.key


def register(app: Flask) -> Keyring:
    """Give the application its keyring, with a connection of its own, so that no exhausted pool keeps callers out."""
    settings = app.config
    connect = {"application_name": "catalog keys", "connect_timeout": 3, "options": "-c statement_timeout=3s"}
    engine = create_engine(
        settings["DATABASE_URL"],
        pool_size=1,
        max_overflow=1,
        pool_timeout=1,
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",
        connect_args=connect,
    )
    keyring = app.extensions["catalog-keyring"] = Keyring(lambda: Signer(keyfile.secret_key(settings)), engine)
    return keyring


def of(app: Flask) -> Keyring:
    """Return an application's keyring."""
    return app.extensions["catalog-keyring"]  # type: ignore[no-any-return]


def _key(row: object, address: str) -> Key:
    values = row._mapping  # type: ignore[attr-defined]
    return Key(
        caller=Caller(f"key:{values['id']}", values["name"], address, frozenset(values["scopes"])),
        networks=tuple(ip_network(each) for each in values["networks"]),
        digest=bytes(values["digest"]),
        previous_digest=bytes(values["previous_digest"] or b""),
        previous_until=_seconds(values["previous_valid_until"], 0.0),
        ends=_seconds(values["expires_at"], float("inf")),
        revoked=values["revoked_at"] is not None,
    )


def _seconds(moment: datetime | None, otherwise: float) -> float:
    return otherwise if moment is None else moment.timestamp()


def _fits(digest: bytes, key: Key, now: float) -> bool:
    """Compare with both secrets, in a time that tells nothing."""
    is_present = hmac.compare_digest(digest, key.digest)
    is_previous = hmac.compare_digest(digest, key.previous_digest) and now < key.previous_until
    return is_present or is_previous


def _within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks)
