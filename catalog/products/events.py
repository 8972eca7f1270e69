"""What webhooks are told about products."""

from typing import Any

from catalog.products.models import Product
from catalog.products.schemas import ProductSchema

_WRITTEN = ProductSchema()


def written(product: Product) -> dict[str, Any]:
    """Return a product as it is sent: the same fields as the API answers."""
    return _WRITTEN.dump(product)  # type: ignore[no-any-return]


def updated(before: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return a changed product with `changed`, {field: {"from", "to"}}; `before` is what `written()` gave then."""
    after = written(product)
    changed = {
        name: {"from": before[name], "to": after[name]}
        for name in after
        if before[name] != after[name] and name not in ("version", "updated_at")
    }
    return {**after, "changed": changed}


def deleted(product: Product) -> dict[str, Any]:
    """Return what names a product that is gone."""
    return {"id": product.id, "sku": product.sku, "name": product.name}
