"""The rules of users. Every function that writes is one transaction, or joins the caller's."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert

from catalog.access import Caller, caller
from catalog.audit import service as audit
from catalog.database import execute_alone, transaction
from catalog.errors import Conflict, Forbidden, NotFound, Unauthorized, ValidationFailed, field_error
from catalog.extensions import db
from catalog.pagination import offset_page
from catalog.users import passwords
from catalog.users.models import User

KIND = "user"
CHALLENGE = 'Form realm="catalog"'  # a browser is sent to the sign-in page instead
WRONG = "The name or the password is wrong."

_BEARER = select(User.name, User.scopes, User.disabled_at, User.sessions_valid_from)


def page(query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of users by name, for a loaded UserQuerySchema: {"items", "total", "limit", "offset", …}."""
    limit, offset = query["limit"], query["offset"]
    total = db.session.scalar(select(func.count(User.id))) or 0
    items = db.session.scalars(select(User).order_by(func.lower(User.name)).limit(limit).offset(offset)).all()
    return offset_page(items, total, limit, offset)


def get(user_id: uuid.UUID) -> User:
    """Return a user. Raises NotFound."""
    return _found(db.session.get(User, user_id, populate_existing=True))


def named(name: str) -> User:
    """Return the user of a name, whatever its case. Raises NotFound."""
    return _found(_by_name(name))


def create(fields: dict[str, Any]) -> User:
    """Add a user, for a loaded UserCreateSchema. Raises Conflict for a name that is taken, ValidationFailed."""
    _check_strength(fields["password"], fields["name"])
    password_hash = passwords.hashed(fields["password"])
    values = {"name": fields["name"], "scopes": fields["scopes"], "password_hash": password_hash}
    statement = insert(User).values(values).on_conflict_do_nothing().returning(User.id)
    with transaction() as session:
        user_id = session.scalar(statement)
        if user_id is None:
            raise Conflict("There is a user of this name.", errors=[field_error("name", "Is taken.", "taken")])
        user = get(user_id)
        audit.record("create", KIND, user_id, after=_audited(user))
        return user


def update(user_id: uuid.UUID, changes: dict[str, Any]) -> User:
    """Change scopes, or whether the user is disabled, which also ends all sessions. Raises NotFound."""
    with transaction() as session:
        user = _locked(user_id)
        before = _audited(user)
        user.scopes = changes.get("scopes", user.scopes)
        if changes.get("disabled", user.is_disabled) != user.is_disabled:
            user.disabled_at = datetime.now(UTC) if changes["disabled"] else None
            _end_sessions(user)
        session.flush()
        audit.record("update", KIND, user_id, before, _audited(user))
        return user


def set_password(user_id: uuid.UUID, password: str) -> User:
    """Give a user another password, and end all sessions. Raises NotFound, ValidationFailed."""
    _check_strength(password, get(user_id).name)
    password_hash = passwords.hashed(password)
    with transaction() as session:
        user = _locked(user_id)
        user.password_hash = password_hash
        _end_sessions(user)
        session.flush()
        audit.record("set_password", KIND, user_id)
        return user


def change_own_password(present: str, password: str) -> User:
    """Change the caller's password, and end all sessions. Raises Forbidden for a key, ValidationFailed."""
    kind, _, user_id = caller().id.partition(":")
    if kind != KIND:
        raise Forbidden("Only who signed in by name and password has a password to change.")
    user = get(uuid.UUID(user_id))
    if not passwords.fits(present, user.password_hash):
        raise ValidationFailed([field_error("present", "This is not your present password.")])
    return set_password(user.id, password)


def end_sessions(user_id: uuid.UUID) -> User:
    """End all sessions of a user, at once and in every process. Raises NotFound."""
    with transaction() as session:
        user = _locked(user_id)
        _end_sessions(user)
        session.flush()
        audit.record("end_sessions", KIND, user_id)
        return user


def prove(name: str, password: str) -> User:
    """Return the user of a name and a password, and note the sign-in. Raises Unauthorized, with the same words and
    after the same work whether there is such a name or not; of a disabled user whose password is right it says so."""
    user = _by_name(name)
    if not passwords.fits(password, user.password_hash if user else None) or user is None:
        raise Unauthorized(WRONG, WWW_Authenticate=CHALLENGE)
    if user.is_disabled:
        raise Unauthorized("This user is disabled. An administrator can change that.", WWW_Authenticate=CHALLENGE)
    values: dict[str, Any] = {"last_sign_in_at": func.clock_timestamp()}
    if passwords.is_outdated(user.password_hash):
        values["password_hash"] = passwords.hashed(password)
    with transaction() as session:
        session.execute(sql_update(User).where(User.id == user.id).values(values))
    return user


def id_of(name: str) -> uuid.UUID | None:
    """Return the id of a name, or None."""
    user = _by_name(name)
    return user.id if user else None


def counted_as(name: str) -> str:
    """Return the key of the counter of failed attempts with a name: the user's id, else the name in lower case.

    PostgreSQL compares both: Python's lower case differs for some letters (U+0130), which would give one user several
    counters, and a difference between known and unknown names would reveal which exist.
    """
    name = name.replace("\0", "\ufffd")
    user_id = select(User.id).where(func.lower(User.name) == func.lower(name)).scalar_subquery()
    found, lower = db.session.execute(select(user_id, func.lower(name))).one()
    return caller_id(found) if found else f"name:{lower}"


def bearer(user_id: uuid.UUID, since: datetime, address: str) -> Caller:
    """Return who a user is whose session began `since` then. Raises Unauthorized if it is over; asks the database."""
    found = execute_alone(_BEARER.where(User.id == user_id))
    if found is None or found.disabled_at is not None or since < found.sessions_valid_from:
        raise Unauthorized("Your session was ended. Please sign in again.", WWW_Authenticate=CHALLENGE)
    return Caller(caller_id(user_id), found.name, address, frozenset(found.scopes))


def caller_id(user_id: uuid.UUID) -> str:
    """Return the id by which a user is known as a caller, also in the audit."""
    return f"{KIND}:{user_id}"


def _check_strength(password: str, name: str) -> None:
    weakness = passwords.weakness(password, name)
    if weakness:
        raise ValidationFailed([field_error("password", weakness)])


def _end_sessions(user: User) -> None:
    user.sessions_valid_from = func.clock_timestamp()  # type: ignore[assignment]


def _by_name(name: str) -> User | None:
    if "\0" in name:
        return None
    return db.session.scalar(select(User).where(func.lower(User.name) == func.lower(name)))


def _locked(user_id: uuid.UUID) -> User:
    return _found(db.session.get(User, user_id, with_for_update=True, populate_existing=True))


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _audited(user: User) -> dict[str, Any]:
    return {"name": user.name, "scopes": user.scopes, "disabled": user.is_disabled}
