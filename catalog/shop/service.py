"""The shop window over products: their rules, their events, their cached copies, in a smaller shape."""

import uuid
from dataclasses import replace
from typing import Any

from flask import current_app

from catalog.cache import Copy
from catalog.errors import ValidationFailed, field_error
from catalog.products import reads, service
from catalog.products.models import Product
from catalog.shop.schemas import ShopProductSchema

FIELDS = tuple(ShopProductSchema().fields)


def product(product_id: uuid.UUID) -> Copy:
    """Return a product's JSON, cut from the copy that `/api/v1/products` answers. Raises NotFound.

    One copy for both, so whatever makes the one forget makes the other forget.
    """
    copy = reads.product(product_id)
    whole = copy.value
    shown = {name: whole[name] for name in FIELDS}
    return replace(copy, body=current_app.json.dumps(shown, separators=(",", ":")).encode() + b"\n")


def update(product_id: uuid.UUID, fields: dict[str, Any], versions: set[int] | None) -> Product:
    """Change the given fields of a product and return it; an `id` among them must be its own.

    Raises ValidationFailed for another `id`, NotFound, and PreconditionFailed for a version that is not current.
    """
    changes = dict(fields)
    if changes.pop("id", product_id) != product_id:
        raise ValidationFailed([field_error("id", "Is another id than the one in the address.")])
    return service.update(product_id, changes, versions)
