"""The rules of mappings that are kept under a name, and of those that a header suggests."""

import json
from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy import Text, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog import pagination, quotas
from catalog.audit import service as audit
from catalog.database import transaction
from catalog.errors import Conflict, NotFound, QuotaExceeded, ValidationFailed, field_error
from catalog.extensions import db
from catalog.imports import mapping
from catalog.imports.models import ImportMapping
from catalog.imports.reader import FIELDS

# What shops call our fields, in lower case, without space, hyphen, underscore or point.
_SYNONYMS = {
    "sku": "artikel article articleno artikelnr artikelnummer artnr itemno itemnumber partnumber référence",
    "name": "title titel titre título bezeichnung artikelbezeichnung produktname productname nom nombre libellé",
    "description": "beschreibung langtext descripción text details longdescription body",
    "active": "aktiv actif activo enabled published visible status",
    "price": "preis prix precio vk vkpreis verkaufspreis unitprice amount bruttopreis",
    "stock_quantity": "stock bestand lagerbestand menge qty quantity stockqty inventory cantidad quantité",
    "category": "kategorie catégorie categoría warengruppe producttype type group",
    "image": "bild bildurl imageurl imagesrc picture photo foto imagen",
    "rating_rate": "rating bewertung stars sterne note",
    "rating_count": "ratings reviews reviewcount bewertungen anzahlbewertungen",
}
_FIELD_OF = {synonym: field for field, synonyms in _SYNONYMS.items() for synonym in synonyms.split()}


def chosen(options: dict[str, Any]) -> mapping.Document | None:
    """Return the mapping that an upload asks for, itself or by name; None for none. Raises ValidationFailed."""
    given, name = options["mapping"], options["mapping_name"]
    if given and name:
        raise ValidationFailed([field_error("mapping", "Give `mapping` or `mapping_name`, not both.")])
    if not name:
        return mapping.parse(given)
    kept = db.session.get(ImportMapping, name) if "\0" not in name else None
    if kept is None:
        raise ValidationFailed([field_error("mapping_name", f"There is no mapping named {name}.", "not_found")])
    return kept.mapping


def listing() -> dict[str, Any]:
    """Return all kept mappings by name: {"items", "total"}."""
    items = db.session.scalars(select(ImportMapping).order_by(ImportMapping.name)).all()
    return {"items": items, "total": len(items)}


def get(name: str) -> ImportMapping:
    """Return a kept mapping. Raises NotFound."""
    found = db.session.get(ImportMapping, name, populate_existing=True) if "\0" not in name else None
    if found is None:
        raise NotFound(f"There is no mapping named {name}.")
    return found


def create(name: str, document: mapping.Document) -> ImportMapping:
    """Keep a mapping. Raises ValidationFailed for a wrong one, QuotaExceeded, Conflict for a name that is taken."""
    statement = insert(ImportMapping).values(name=name, mapping=mapping.checked(document)).on_conflict_do_nothing()
    with transaction() as session:
        _check_room(session, name, document)
        if session.scalar(statement.returning(ImportMapping.name)) is None:
            taken = field_error("name", "There is a mapping of this name.", "taken")
            raise Conflict("There is a mapping of this name.", errors=[taken])
        kept = get(name)
        audit.record("create", "mapping", name, after={"mapping": kept.mapping})
        return kept


def update(name: str, document: mapping.Document) -> ImportMapping:
    """Replace a kept mapping; imports already submitted keep theirs.

    Raises ValidationFailed, NotFound, QuotaExceeded.
    """
    checked = mapping.checked(document)
    with transaction() as session:
        kept = _locked(name)
        _check_room(session, name, document)
        before = {"mapping": kept.mapping}
        kept.mapping, kept.updated_at = checked, func.clock_timestamp()
        session.flush()
        audit.record("update", "mapping", name, before, {"mapping": checked})
        return kept


def delete(name: str) -> None:
    """Forget a kept mapping; imports already submitted keep theirs. Raises NotFound."""
    with transaction() as session:
        kept = _locked(name)
        session.delete(kept)
        session.flush()
        audit.record("delete", "mapping", name, before={"mapping": kept.mapping})


def suggest(header: Sequence[str]) -> dict[str, Any]:
    """Return what the columns seem to be: {"mapping", "unmatched", "missing"}.

    Names that are ours go before known synonyms; the first of two columns that could be one field has it.
    """
    suggested: dict[str, str] = {}
    for names in (_as_they_are(header), _as_synonyms(header)):
        for column, field in names.items():
            if field is not None and column not in suggested and field not in suggested.values():
                suggested[column] = field
    return {
        "mapping": {column: suggested[column] for column in header if column in suggested},
        "unmatched": [column for column in header if column not in suggested],
        "missing": [field for field in ("sku", "name") if field not in suggested.values()],
    }


def _as_they_are(header: Sequence[str]) -> dict[str, str | None]:
    exact = sorted(header, key=lambda column: column not in FIELDS)  # before those that differ in case
    return {column: field if (field := column.strip().lower()) in FIELDS else None for column in exact}


def _as_synonyms(header: Sequence[str]) -> dict[str, str | None]:
    plain = str.maketrans("", "", " -_./")
    ours = {field.translate(plain): field for field in FIELDS}
    known = ours | _FIELD_OF
    return {column: known.get(column.lower().translate(plain)) for column in header}


def _check_room(session: Session, name: str, document: mapping.Document) -> None:
    """Raise QuotaExceeded where all mappings, which are listed without pages, would have more bytes than a page."""
    quotas.lock(session, "import_mappings", "all")
    size = func.coalesce(func.sum(func.octet_length(cast(ImportMapping.mapping, Text))), 0)
    others = session.scalar(select(size).where(ImportMapping.name != name)) or 0
    if int(others) + len(json.dumps(document, default=str).encode()) > pagination.max_bytes():
        most = current_app.config["PAGE_MAX_KB"]
        raise QuotaExceeded(f"The mappings would have more than {most:,} KB (PAGE_MAX_KB). Delete some first.")


def _locked(name: str) -> ImportMapping:
    get(name)
    locked = db.session.get(ImportMapping, name, with_for_update=True, populate_existing=True)
    if locked is None:  # forgotten in the meantime
        raise NotFound(f"There is no mapping named {name}.")
    return locked
