"""What webhooks are told about products."""

from typing import Any

from catalog.products.models import Product
from catalog.products.schemas import ProductSchema

_WRITTEN = ProductSchema()


def written(product: Product) -> dict[str, Any]:
    """Return a product as it is sent: the same fields as the API answers."""
    return _WRITTEN.dump(product)  # type: ignore[no-any-return]


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what a product is `after` a change, with `changed`; both are as `written()` gives them."""
    changed = {
        name: {"from": before[name], "to": after[name]}
        for name in after
        if before[name] != after[name] and name not in ("version", "updated_at")
    }
    return {**after, "changed": changed}


def deleted(product: Product) -> dict[str, Any]:
    """Return what names a product that is gone."""
    return {"id": product.id, "sku": product.sku, "name": product.name}


def as_json(row: str) -> str:
    """Return the SQL that makes of a row of `products`, by its name in a query, the jsonb that `written()` would."""
    moment = "to_char({row}.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    values = {name: f"{row}.{name}" for name in ProductSchema.Meta.fields}
    values["price"] = f"{row}.price::float8"
    values["rating"] = f"""
        CASE WHEN num_nonnulls({row}.rating_rate, {row}.rating_count) > 0
        THEN jsonb_build_object('rate', {row}.rating_rate::float8, 'count', {row}.rating_count) END"""
    for column in ("created_at", "updated_at"):
        values[column] = moment.format(row=row, column=column)
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"jsonb_build_object({pairs})"
