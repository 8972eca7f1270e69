"""The products page: found, looked at, changed one by one or together."""

import uuid
from typing import Any

from flask import Response, request, url_for
from werkzeug import Response as Answer

from catalog.audit import service as audit
from catalog.audit.schemas import HistoryQuerySchema
from catalog.console import pages, pictures, schemas
from catalog.http import wanted_versions
from catalog.products import export, selection, service
from catalog.products.schemas import (
    ProductChangeSchema,
    ProductCreateSchema,
    ProductExportSchema,
    ProductQuerySchema,
)

blueprint = pages.blueprint("products", __name__)


@blueprint.get("")
@blueprint.arguments(ProductQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List products."""
    page, given = service.glimpse(query), request.args.to_dict()
    return pages.show("products.html", part="_products_list.html", section="products", page=page, given=given)


@blueprint.get("/new", scope="products:write")
def new() -> Response:
    """Show the form of a new product."""
    return pages.show("_product_new.html")


@blueprint.post("")
@blueprint.arguments(ProductCreateSchema)
def create(fields: dict[str, Any]) -> Answer:
    """Add a product."""
    product = service.create(fields)
    return Response(headers={"HX-Redirect": url_for(".show", product_id=product.id)})


@blueprint.get("/<uuid:product_id>")
@blueprint.arguments(schemas.PictureSchema, location="query")
def show(query: dict[str, Any], product_id: uuid.UUID) -> Response:
    """Show a product, with its picture if that is wanted."""
    product = service.get(product_id)
    allow = pictures.allowed(product.image, query["picture"])
    return pages.show("product.html", section="products", product=product, pictured=bool(allow), allow=allow)


@blueprint.get("/<uuid:product_id>/history")
@blueprint.arguments(HistoryQuerySchema, location="query")
def history(query: dict[str, Any], product_id: uuid.UUID) -> Response:
    """Show what was done to a product."""
    page = audit.product_history(product_id, query)
    return pages.show("_product_history.html", page=page, product_id=product_id)


@blueprint.get("/<uuid:product_id>/row")
def row(product_id: uuid.UUID) -> Response:
    """Show a product in the list."""
    return pages.show("_product_row.html", product=service.get(product_id))


@blueprint.get("/<uuid:product_id>/edit", scope="products:write")
def edit(product_id: uuid.UUID) -> Response:
    """Show a product in the list, to be changed."""
    return pages.show("_product_edit.html", product=service.get(product_id))


@blueprint.post("/<uuid:product_id>")
@blueprint.arguments(ProductChangeSchema)
def change(changes: dict[str, Any], product_id: uuid.UUID) -> Response:
    """Change a product, if it still is as it was shown."""
    product = service.update(product_id, changes, wanted_versions())
    return pages.show("_product_row.html", product=product, notice=f"{product.sku} is saved.")


@blueprint.post("/<uuid:product_id>/delete")
def delete(product_id: uuid.UUID) -> Answer:
    """Remove a product."""
    service.delete(product_id)
    return Response(headers={"HX-Redirect": url_for(".index")})


@blueprint.post("/activation")
@blueprint.arguments(schemas.ActivationSchema)
def set_active(body: dict[str, Any]) -> Response:
    """Activate or deactivate what is selected."""
    changed = selection.set_active(body["ids"], body["active"])
    return pages.say(Response(status=204), f"{changed} of {len(body['ids'])} products changed.")


@blueprint.post("/deletion")
@blueprint.arguments(schemas.SelectionSchema)
def delete_selected(body: dict[str, Any]) -> Response:
    """Remove what is selected."""
    return pages.say(Response(status=204), f"{selection.delete(body['ids'])} products deleted.")


@blueprint.post("/export")
@blueprint.arguments(schemas.SelectionSchema)
def export_selected(body: dict[str, Any]) -> Response:
    """Download what is selected."""
    return _download(export.start({"ids": body["ids"], "sort": "sku", "format": "csv"}))


@blueprint.get("/export")
@blueprint.arguments(ProductExportSchema, location="query")
def export_all(query: dict[str, Any]) -> Response:
    """Download what the filters let through."""
    return _download(export.start(query))


def _download(file: export.Export) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{file.filename}"'}
    return Response(file, mimetype=file.mimetype, headers=headers)  # type: ignore[arg-type]
