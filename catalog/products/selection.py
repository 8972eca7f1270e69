"""Products that somebody chose one by one, changed together: each call is one transaction."""

import json
import uuid
from collections.abc import Collection

from sqlalchemy import delete as deletion
from sqlalchemy import select

from catalog.audit import service as audit
from catalog.cache import invalidate
from catalog.database import transaction
from catalog.products import bulk, events
from catalog.products.models import Product, sku_key
from catalog.tasks import service as tasks
from catalog.webhooks import service as webhooks

_EACH = "SELECT value AS data FROM jsonb_array_elements(CAST(:data AS jsonb))"


def set_active(product_ids: Collection[uuid.UUID], active: bool) -> int:
    """Activate or deactivate up to 1,000 products; return how many were not so already."""
    with transaction() as session:
        skus = session.scalars(select(Product.sku).where(Product.id.in_(product_ids))).all()
        return int(bulk.upsert([{"sku": sku, "active": active} for sku in skus])["updated"])


def delete(product_ids: Collection[uuid.UUID]) -> int:
    """Remove these products, without those that are gone already; return how many."""
    with transaction() as session:
        chosen = select(Product).where(Product.id.in_(product_ids)).order_by(sku_key(Product.sku))
        products = session.scalars(chosen.with_for_update(), execution_options={"populate_existing": True}).all()
        if not products:
            return 0
        told = [events.deleted(product) for product in products]
        entries = [audit.Entry("delete", "product", one.id, before=events.written(one)) for one in products]
        gone = [product.id for product in products]
        session.execute(deletion(Product).where(Product.id.in_(gone)))
        invalidate(*(f"product:{one}" for one in gone))
        tasks.let_go_of_products()
        audit.record_each(entries)
        webhooks.publish_rows(session, "product.deleted", _EACH, {"data": json.dumps(told, default=str)})
        return len(gone)
