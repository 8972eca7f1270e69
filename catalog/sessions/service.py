"""The rules of sessions: how one begins, whom it lets in, how it ends.

What a session may do is not written in it: each request asks its user or its key anew. So whatever becomes of these
holds for their sessions too.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, not_, select, text, update

from catalog import keyfile, ratelimits
from catalog.access import Caller, caller
from catalog.audit import service as audit
from catalog.auth import service as keys
from catalog.database import execute_alone, transaction
from catalog.errors import Forbidden, NotFound, Unauthorized
from catalog.extensions import db
from catalog.gate import unauthorized
from catalog.pagination import offset_page
from catalog.sessions.models import AGENT_MAX, BrowserSession
from catalog.sessions.tokens import MAX_LENGTH, Tokens
from catalog.users import service as users

KIND = "session"
SEEN_EVERY = timedelta(minutes=1)  # it is not written down more often that a session is used
UNKNOWN = "unknown"
ENDED = "Your session has ended. Please sign in again."

# Whose user or key would still be let in; what they would be asked at a request is more (`bearer()`).
_COUNTS = text("""(
    EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND users.disabled_at IS NULL
            AND sessions.created_at >= users.sessions_valid_from)
    OR EXISTS (SELECT FROM api_keys WHERE api_keys.id = sessions.key_id AND api_keys.revoked_at IS NULL
               AND coalesce(api_keys.expires_at > clock_timestamp(), true)
               AND sessions.key_digest IN (api_keys.digest, api_keys.previous_digest)))""")


def begin(given: dict[str, str], address: str, agent: str, earlier: str | None = None) -> str:
    """Sign in by {"key"}, or by {"name", "password"}, and return the token of a new session; an earlier one ends.

    Raises Unauthorized, Forbidden for a key that may not come from there, and TooManyRequests after many failures.
    """
    with ratelimits.attempt(_tried(given), address), _failure_noted(given):
        who = _by_key(given["key"], address) if "key" in given else _by_password(**given)
    with transaction():
        sign_out(earlier)
        return _begin(who, address, agent)


def change_password(present: str, password: str, address: str, agent: str) -> str:
    """Change the caller's own password, which ends all sessions, and return the token of a new one.

    Raises Forbidden for who signed in by a key, ValidationFailed, and TooManyRequests.
    """
    with ratelimits.attempt(caller().id, address), transaction():
        return _begin(_of(users.change_own_password(present, password)), address, agent)


def _begin(who: dict[str, Any], address: str, agent: str) -> str:
    token, digest = _tokens().new()
    ends_at = func.clock_timestamp() + timedelta(hours=current_app.config["SESSION_HOURS"])
    with transaction() as database:
        session = BrowserSession(digest=digest, address=address, agent=agent[:AGENT_MAX], ends_at=ends_at, **who)
        database.add(session)
        database.flush()
        _note("sign_in", session)
    return token


def _tried(given: dict[str, str]) -> str | None:
    """Return what failures count for; None for what was never a key, since then only the address has done it."""
    if "key" not in given:
        return users.counted_as(given["name"])
    read = keys.read(given["key"])
    return f"key:{read[0]}" if read else None


def _by_key(key: str, address: str) -> dict[str, Any]:
    key_id, digest = keys.read(key) or ("", b"")
    found = keys.bearer(key_id, digest, address)
    return {"key_id": key_id, "key_digest": digest, "caller_id": found.id, "name": found.name}


def _by_password(name: str, password: str) -> dict[str, Any]:
    return _of(users.prove(name, password))


def _of(user: Any) -> dict[str, Any]:
    return {"user_id": user.id, "caller_id": users.caller_id(user.id), "name": user.name}


@contextmanager
def _failure_noted(given: dict[str, str]) -> Iterator[None]:
    """Note a refusal in the audit, but never what was typed: it may be a password in the wrong field."""
    try:
        yield
    except (Unauthorized, Forbidden) as refusal:
        audit.record("sign_in_failed", *_meant(given), after={"reason": refusal.detail})
        raise


def _meant(given: dict[str, str]) -> tuple[str, object]:
    """Return the kind and the id of the key or the user that was tried."""
    if "key" not in given:
        return users.KIND, users.id_of(given["name"]) or UNKNOWN
    read = keys.read(given["key"])
    return "key", read[0] if read else UNKNOWN


def bearer(token: str, address: str, is_used: bool) -> Caller:
    """Return whose session it is; `is_used` tells that somebody is there, which puts off its idle end.

    Raises Unauthorized where it is over, and what its key's look-up raises.
    """
    found = _open(token)
    if found is None:
        raise unauthorized(ENDED, sent=True)
    if found.user_id:
        asking = users.bearer(found.user_id, found.created_at, address)
    else:
        asking = keys.bearer(found.key_id, bytes(found.key_digest), address)
    if is_used and found.unseen > SEEN_EVERY:
        seen = update(BrowserSession).where(BrowserSession.id == found.id).values(last_seen_at=func.clock_timestamp())
        execute_alone(seen.returning(BrowserSession.id))
    return asking


def _open(token: str) -> Any:
    if len(token) > MAX_LENGTH or not token.isascii():
        return None
    state = (
        *(BrowserSession.id, BrowserSession.user_id, BrowserSession.key_id, BrowserSession.key_digest),
        *(BrowserSession.created_at, (func.clock_timestamp() - BrowserSession.last_seen_at).label("unseen")),
    )
    return execute_alone(select(*state).where(BrowserSession.digest == _tokens().digest(token), _is_alive()))


def _is_alive() -> ColumnElement[bool]:
    now, idle = func.clock_timestamp(), timedelta(minutes=current_app.config["SESSION_IDLE_MINUTES"])
    return and_(BrowserSession.ends_at > now, BrowserSession.last_seen_at > now - idle)


def page(query: dict[str, Any], caller_id: str | None = None) -> dict[str, Any]:
    """Return one page of open sessions, of one caller or of all, those seen last first.

    The page is {"items", "total", "limit", "offset", "has_more"}, for a loaded SessionQuerySchema.
    """
    wanted = select(BrowserSession).where(_is_alive(), _COUNTS)
    if caller_id is not None:
        wanted = wanted.where(BrowserSession.caller_id == caller_id)
    total = db.session.scalar(wanted.with_only_columns(func.count(BrowserSession.id))) or 0
    limit, offset = query["limit"], query["offset"]
    order = (BrowserSession.last_seen_at.desc(), BrowserSession.id)
    items = db.session.scalars(wanted.order_by(*order).limit(limit).offset(offset)).all()
    return offset_page(items, total, limit, offset)


def own() -> dict[str, Any]:
    """Return the caller's open sessions, in the shape of `page()`."""
    return page({"limit": 100, "offset": 0}, caller().id)


def end(session_id: uuid.UUID) -> None:
    """End a session, in every process at once. Raises NotFound."""
    _end(BrowserSession.id == session_id)


def end_own(session_id: uuid.UUID) -> None:
    """End one of the caller's sessions. Raises NotFound, also for somebody else's."""
    _end(BrowserSession.id == session_id, BrowserSession.caller_id == caller().id)


def _end(*conditions: ColumnElement[bool]) -> None:
    with transaction() as database:
        ended = database.scalars(delete(BrowserSession).where(*conditions).returning(BrowserSession)).all()
        if not ended:
            raise NotFound("There is no such session.")
        for session in ended:
            audit.record("end", KIND, session.id, before={"name": session.name, "caller_id": session.caller_id})


def sign_out(token: str | None) -> None:
    """End the session of a token; without one, or where it is over already, nothing changes."""
    if not token or not token.isascii():
        return
    with transaction() as database:
        gone = delete(BrowserSession).where(BrowserSession.digest == _tokens().digest(token))
        session = database.scalars(gone.returning(BrowserSession)).one_or_none()
        if session:
            _note("sign_out", session)


def prune() -> int:
    """Delete the sessions that are over, and return how many."""
    with transaction() as database:
        result = database.execute(delete(BrowserSession).where(not_(and_(_is_alive(), _COUNTS))))
        assert isinstance(result, CursorResult)
        return result.rowcount


def id_of(token: str) -> uuid.UUID | None:
    """Return the id of an open session, or None."""
    found = _open(token)
    return found.id if found else None


def _note(action: str, session: BrowserSession) -> None:
    """Write down that the session's own user or key did this: the request itself came without one."""
    with audit.acting_as({**audit.who(), "id": session.caller_id, "name": session.name}):
        audit.record(action, KIND, session.id)


def _tokens() -> Tokens:
    """Return what makes tokens, made once for each application."""
    made: Tokens | None = current_app.extensions.get("catalog-session-tokens")
    if made is None:
        made = current_app.extensions["catalog-session-tokens"] = Tokens(keyfile.secret_key(current_app.config))
    return made
