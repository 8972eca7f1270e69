"""Ownership of imports: by the caller that submitted one. Others need the scope `imports:all`, or `admin`."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select, true

from catalog.access import IMPORTS_ALL, caller
from catalog.extensions import db
from catalog.imports.models import Import

OWNER = "owner"  # in `asked_by`, where another caller committed the dry run


def sees_all() -> bool:
    """Return whether the caller may see the imports of all callers."""
    return caller().may(IMPORTS_ALL)


def owner_of(asked_by: Mapping[str, Any] | None) -> str | None:
    """Return the id of the caller that submitted an import; None where it was not recorded."""
    return (asked_by or {}).get(OWNER) or (asked_by or {}).get("id")


def is_visible(owner: str | None) -> bool:
    """Return whether the caller may see the imports of this owner."""
    return sees_all() or owner == caller().id


def condition() -> ColumnElement[bool]:
    """Return the SQL condition that selects the imports that the caller may see."""
    if sees_all():
        return true()
    asked_by = Import.asked_by
    return func.coalesce(asked_by[OWNER].astext, asked_by["id"].astext) == caller().id


def visible(import_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of these imports that the caller may see."""
    if sees_all():
        return set(import_ids)
    return set(db.session.scalars(select(Import.id).where(Import.id.in_(import_ids), condition())))
