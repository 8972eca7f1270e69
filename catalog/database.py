"""Transactions: one for each request or job, and what is to happen after its commit."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from catalog.extensions import db

log = logging.getLogger(__name__)

_OPEN = "catalog_transaction_open"
_CALLBACKS = "catalog_after_commit"


@contextmanager
def transaction() -> Iterator[Session]:
    """Run a block as one transaction and yield the session; inside another `transaction()` join that one.

    Commits at the end of the outermost block, then runs what `after_commit()` collected; an exception
    rolls everything back, drops those callbacks and goes on to the caller.
    """
    session = db.session()
    if session.info.get(_OPEN):
        yield session
        return
    session.info[_OPEN] = True
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        session.info.pop(_CALLBACKS, None)
        raise
    finally:
        session.info.pop(_OPEN, None)
    _run_callbacks(session)


def after_commit(callback: Callable[[], object]) -> None:
    """Call `callback` once the current transaction is committed, never if it rolls back.

    Our own list, since SQLAlchemy's event of that name also fires when a savepoint ends.
    Raises RuntimeError outside a transaction, where nothing would ever call it.
    """
    session = db.session()
    if not session.info.get(_OPEN):
        raise RuntimeError("after_commit() needs an open transaction()")
    session.info.setdefault(_CALLBACKS, []).append(callback)


def _run_callbacks(session: Session) -> None:
    """The change is committed, so a callback that fails is logged and the others still run."""
    for callback in session.info.pop(_CALLBACKS, []):
        try:
            callback()
        except Exception:
            log.exception("A callback after commit failed")
