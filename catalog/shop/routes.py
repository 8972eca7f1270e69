"""REST over the shop window; `id` is the product's id under `/api/v1/products` too."""

import uuid
from typing import Any

from flask import url_for

from catalog.http import Blueprint, copy_answer, etag, wanted_versions
from catalog.openapi import LOCATION
from catalog.products import service as products
from catalog.shop import schemas, service

blueprint = Blueprint(
    "shop",
    __name__,
    url_prefix="/products",
    description="Products, in the smallest API.",
    scope="products:read",
    writes="products:write",
)


@blueprint.post("")
@blueprint.arguments(schemas.ShopProductCreateSchema)
@blueprint.once()
@blueprint.response(201, schemas.ShopProductSchema, headers=LOCATION)
@blueprint.problem(409, "No generated SKU was free")
def create_product(fields: dict[str, Any]) -> Any:
    """Put a product into the shop window

    It is a product like any other: with the SKU `SKU-<number>`, and also under `/api/v1/products/{id}`.
    """
    product = products.create(fields)
    return product, 201, {"ETag": etag(product.version), "Location": url_for(".get_product", product_id=product.id)}


@blueprint.get("/<uuid:product_id>")
@blueprint.response(200, schemas.ShopProductSchema)
@blueprint.alt_response(304, description="Unchanged")
@blueprint.problem(404, "No such product")
def get_product(product_id: uuid.UUID) -> Any:
    """Read a product's five fields

    From the same cached copy as `/api/v1/products/{id}`.
    """
    return copy_answer(service.product(product_id))


@blueprint.put("/<uuid:product_id>")
@blueprint.arguments(schemas.ShopProductChangeSchema)
@blueprint.response(200, schemas.ShopProductSchema)
@blueprint.problem(404, "No such product")
@blueprint.problem(412, "`If-Match` names another version")
def put_product(changes: dict[str, Any], product_id: uuid.UUID) -> Any:
    """Change a product's five fields

    Only the given fields change.
    """
    product = service.update(product_id, changes, wanted_versions())
    return product, 200, {"ETag": etag(product.version)}


@blueprint.delete("/<uuid:product_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such product")
@blueprint.problem(412, "`If-Match` names another version")
def delete_product(product_id: uuid.UUID) -> None:
    """Take a product out of the shop window, and out of the catalog

    At once, and for good.
    """
    products.delete(product_id, wanted_versions())
