"""Stored secrets encrypted anew with the first key, row by row in batches, while the service works.

A feature that stores secrets has a `service.reencrypt()` made of this; `commands/encryption.py` lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnExpressionArgument, inspect, select
from sqlalchemy.orm import Session

from catalog import encryption
from catalog.database import transaction

BATCH = 100


@dataclass
class Tally:
    """How many secrets were `renewed`, how many were `current` already, and the names of those that no key opens."""

    renewed: int = 0
    current: int = 0
    unopened: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count what another one has counted."""
        self.renewed += other.renewed
        self.current += other.current
        self.unopened += other.unopened

    def renew(self, stored: bytes, name: str) -> bytes:
        """Return a stored secret under the first key, and count it; one that no key opens as it is."""
        try:
            fresh = encryption.renewed(stored)
        except encryption.Undecryptable:
            self.unopened.append(name)
            return stored
        if fresh == bytes(stored):
            self.current += 1
        else:
            self.renewed += 1
        return fresh


def each_row(model: type[Any], change: Callable[[Any], None], *conditions: ColumnExpressionArgument[bool]) -> None:
    """Call `change` with every row of a table, locked, one transaction for each batch.

    Killed, it goes on where it was when it is run again. What others write at the same time is waited for, and kept.
    """
    key = inspect(model).primary_key[0]
    after: Any = None
    while True:
        with transaction() as session:
            batch = _locked(session, model, key, after, conditions)
            for row in batch:
                change(row)
        if len(batch) < BATCH:
            return
        after = getattr(batch[-1], key.key)


def _locked(session: Session, model: type[Any], key: Any, after: Any, conditions: Sequence[Any]) -> Sequence[Any]:
    statement = select(model).where(*conditions).order_by(key).limit(BATCH).with_for_update(key_share=True)
    if after is not None:
        statement = statement.where(key > after)
    return session.scalars(statement, execution_options={"populate_existing": True}).all()
