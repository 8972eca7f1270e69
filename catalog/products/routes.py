"""REST over products."""

import uuid
from typing import Any

from flask import Response, request, url_for

from catalog.http import Blueprint, copy_answer, etag, is_current, wanted_versions
from catalog.openapi import LOCATION
from catalog.products import bulk, bulk_delete, bulk_schemas, export, reads, schemas, service, writes
from catalog.products.models import Product

blueprint = Blueprint(
    "products",
    __name__,
    url_prefix="/api/v1/products",
    description="The products of the catalog.",
    scope="products:read",
    writes="products:write",
)


def _with_etag(product: Product) -> tuple[Product, int, dict[str, str]]:
    return product, 200, {"ETag": etag(product.version)}


def _unless_current(product: Product) -> Any:
    if is_current(product.version):
        return Response(status=304, headers={"ETag": etag(product.version)})
    return _with_etag(product)


@blueprint.get("")
@blueprint.arguments(schemas.ProductQuerySchema, location="query")
@blueprint.response(200, schemas.ProductPageSchema)
@blueprint.problem(413, "The rows of a page by `offset` have too many bytes; `detail` tells how many fit")
def list_products(query: dict[str, Any]) -> Any:
    """List products

    Filtered, searched, sorted, in pages by `offset` or by `cursor`. A page may have fewer than `limit` items where
    more would have too many bytes: continue while `has_more`, by `next_cursor`.
    """
    return service.search(query)


@blueprint.post("")
@blueprint.arguments(schemas.ProductCreateSchema)
@blueprint.once()
@blueprint.response(201, schemas.ProductSchema, headers=LOCATION)
@blueprint.problem(409, "The SKU is taken")
def create_product(fields: dict[str, Any]) -> Any:
    """Create a product

    Without a `sku` it gets `SKU-<number>`. `Location` is its address, `ETag` its version.
    """
    product = service.create(fields)
    location = url_for("products.get_product", product_id=product.id)
    return product, 201, {"ETag": etag(product.version), "Location": location}


@blueprint.post("/bulk")
@blueprint.arguments(bulk_schemas.ProductBulkSchema, example={"items": [{"sku": "LAMP-001", "name": "Desk lamp"}]})
@blueprint.once()
@blueprint.response(200, bulk_schemas.BulkResultsSchema)
def upsert_products(body: dict[str, Any]) -> Any:
    """Create or change up to 1,000 products by SKU

    Given fields change, others stay; a new product needs a `name`. One transaction, one result for each item:
    an item that is wrong, or whose SKU came before, is an error of its own and spoils none of the others.
    """
    return bulk.upsert(body["items"])


@blueprint.get("/stats")
@blueprint.response(200, schemas.StatsSchema)
def get_stats() -> Any:
    """Count the products

    All of them, the active and the inactive ones.
    """
    return service.stats()


@blueprint.get("/writes")
@blueprint.arguments(schemas.ProductWriteQuerySchema, location="query")
@blueprint.response(200, schemas.ProductWritePageSchema)
@blueprint.problem(413, "The rows of a page by `offset` have too many bytes; `detail` tells how many fit")
def list_writes(query: dict[str, Any]) -> Any:
    """List queued writes

    What GraphQL's `createProduct` and `updateProduct` were answered for, the latest first; `state=failed` is what could
    not be made. Each is a job, to be watched, cancelled and retried under `/api/v1/jobs/{id}`.
    """
    return writes.page(**query)


_EXAMPLES = {
    "text/csv": "sku,name,description,active,price,stock_quantity,category,image,rating_rate,rating_count\n"
    '"LAMP-001","Desk lamp",,true,39.90,12,"Lighting",,4.50,120\n',
    "application/x-ndjson": '{"sku":"LAMP-001","name":"Desk lamp","description":null,"active":true,"price":39.90,'
    '"stock_quantity":12,"category":"Lighting","image":null,"rating":{"rate" : 4.50, "count" : 120}}\n',
}


@blueprint.get("/export")
@blueprint.arguments(schemas.ProductExportSchema, location="query")
@blueprint.doc(
    responses={
        "200": {
            "description": "Every product that the filters let through",
            "content": {
                kind: {"schema": {"type": "string"}, "example": example} for kind, example in _EXAMPLES.items()
            },
        }
    }
)
@blueprint.problem(503, "Too many exports are under way")
def export_products(query: dict[str, Any]) -> Any:
    """Export products

    All that the filters of the list let through, as of one moment, as CSV or JSON Lines, streamed. Imported again,
    nothing changes. In CSV, texts are quoted, and those that a spreadsheet would take for formulas have an apostrophe
    before them.
    """
    exported = export.start({"format": _accepted(), **query})
    headers = {"Content-Disposition": f'attachment; filename="{exported.filename}"'}
    return Response(exported, mimetype=exported.mimetype, headers=headers)


def _accepted() -> str:
    kind = request.accept_mimetypes.best_match(export.MIMETYPES.values(), export.MIMETYPES["csv"])
    return next(form for form, mimetype in export.MIMETYPES.items() if mimetype == kind)


@blueprint.get("/<uuid:product_id>", any_query=True)  # clients may add one to bypass caches
@blueprint.response(200, schemas.ProductSchema)
@blueprint.alt_response(304, description="Unchanged")
@blueprint.problem(404, "No such product")
def get_product(product_id: uuid.UUID) -> Any:
    """Read a product

    From the cache where it has a copy, as `X-Cache` tells; never older than the last acknowledged write.
    """
    return copy_answer(reads.product(product_id))


@blueprint.put("/<uuid:product_id>")
@blueprint.arguments(schemas.ProductChangeSchema)
@blueprint.response(200, schemas.ProductSchema)
@blueprint.problem(404, "No such product")
@blueprint.problem(409, "The SKU is taken")
@blueprint.problem(412, "`If-Match` names another version")
def put_product(changes: dict[str, Any], product_id: uuid.UUID) -> Any:
    """Change a product

    Only the given fields change.
    """
    return _with_etag(service.update(product_id, changes, wanted_versions()))


@blueprint.patch("/<uuid:product_id>")
@blueprint.arguments(schemas.ProductChangeSchema)
@blueprint.response(200, schemas.ProductSchema)
@blueprint.problem(404, "No such product")
@blueprint.problem(409, "The SKU is taken")
@blueprint.problem(412, "`If-Match` names another version")
def patch_product(changes: dict[str, Any], product_id: uuid.UUID) -> Any:
    """Change a product

    The same as PUT.
    """
    return _with_etag(service.update(product_id, changes, wanted_versions()))


@blueprint.delete("/<uuid:product_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such product")
@blueprint.problem(412, "`If-Match` names another version")
def delete_product(product_id: uuid.UUID) -> None:
    """Delete a product

    At once, and for good; webhooks are told.
    """
    service.delete(product_id, wanted_versions())


@blueprint.get("/by-sku/<path:sku>")
@blueprint.response(200, schemas.ProductSchema)
@blueprint.alt_response(304, description="Unchanged")
@blueprint.problem(404, "No such product")
def get_product_by_sku(sku: str) -> Any:
    """Read a product by its SKU, in any case

    `lamp-001` finds `LAMP-001`.
    """
    return _unless_current(service.get_by_sku(sku))


@blueprint.put("/by-sku/<path:sku>")
@blueprint.arguments(schemas.ProductBySkuSchema)
@blueprint.response(200, schemas.ProductSchema)
@blueprint.alt_response(201, schema=schemas.ProductSchema, description="Created")
@blueprint.problem(404, "No such product, where `If-Match` is given")
@blueprint.problem(412, "`If-Match` names another version")
def put_product_by_sku(fields: dict[str, Any], sku: str) -> Any:
    """Create or change the product with a SKU

    `name` is required where the product is new.
    """
    product, created = service.put_by_sku(sku, fields, wanted_versions())
    return product, 201 if created else 200, {"ETag": etag(product.version)}


@blueprint.delete("/all")
@blueprint.arguments(bulk_schemas.DeleteAllQuerySchema, location="query")
@blueprint.response(202, bulk_schemas.SubmittedSchema, headers=LOCATION)
@blueprint.problem(409, "`expected_count` is not the count")
def delete_all_products(query: dict[str, Any]) -> Any:
    """Delete all products

    In the background; the answer names where to watch it.
    """
    deletion = bulk_delete.request(query.get("expected_count"))
    location = url_for("products.get_deletion_status", deletion_id=deletion.id)
    message = f"Deletion of {deletion.total} products submitted"
    return (
        {"task_id": deletion.id, "status": "submitted", "message": message},
        202,
        {"Location": location},
    )


@blueprint.get("/delete/<uuid:deletion_id>/status")
@blueprint.response(200, bulk_schemas.DeletionStatusSchema)
@blueprint.problem(404, "No such deletion")
def get_deletion_status(deletion_id: uuid.UUID) -> Any:
    """Watch a bulk deletion

    What was deleted so far, and whether it has ended.
    """
    return bulk_delete.status(deletion_id)
