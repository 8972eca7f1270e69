"""Products that were chosen one by one, changed together."""

import csv
import uuid

from sqlalchemy import select, text

from catalog.audit.models import AuditEntry
from catalog.extensions import db
from catalog.products import export, selection, service
from tests.factories import make_product


def test_chosen_products_are_switched_and_only_those_that_were_not_so_change(context):
    one, two, other = make_product(), make_product(active=False), make_product()
    assert selection.set_active([one.id, two.id], False) == 1
    found = {product.id: (product.active, product.version) for product in map(service.get, (one.id, two.id, other.id))}
    assert found == {one.id: (False, 2), two.id: (False, 1), other.id: (True, 1)}


def test_chosen_products_are_deleted_and_told_of(context):
    one, two, other = make_product(), make_product(), make_product()
    assert selection.delete([one.id, two.id, uuid.uuid4()]) == 2
    assert service.stats()["total"] == 1
    assert service.get(other.id)
    told = text("SELECT name FROM webhook_events WHERE data ->> 'id' = :id ORDER BY id")
    assert db.session.scalars(told, {"id": str(one.id)}).all() == ["product.created", "product.deleted"]
    assert [entry.action for entry in audited(two.id)] == ["create", "delete"]


def audited(product_id):
    statement = select(AuditEntry).where(AuditEntry.entity_id == str(product_id)).order_by(AuditEntry.id)
    return db.session.scalars(statement).all()


def test_nothing_chosen_that_is_there_changes_nothing(context):
    assert selection.delete([uuid.uuid4()]) == 0
    assert selection.set_active([uuid.uuid4()], True) == 0


def test_chosen_products_alone_are_exported(committed):
    with committed.app_context():
        ids = [make_product(sku=sku).id for sku in ("X-1", "X-2", "X-3")]
        file = export.start({"ids": ids[:2], "sort": "sku", "format": "csv"})
        rows = list(csv.reader(b"".join(file).decode().splitlines()))
        file.close()
    assert [row[0] for row in rows] == ["sku", "X-1", "X-2"]
