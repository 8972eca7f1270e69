"""REST over orders."""

from typing import Any

from flask import url_for

from catalog.http import Blueprint
from catalog.orders import schemas, service

blueprint = Blueprint(
    "orders", __name__, url_prefix="/api/v1/orders", description="Orders, each taken in once.", scope="orders"
)


@blueprint.get("")
@blueprint.arguments(schemas.OrderQuerySchema, location="query")
@blueprint.response(200, schemas.OrderPageSchema, example=schemas.PAGE_EXAMPLE)
@blueprint.problem(413, "The rows of a page by `offset` have too many bytes; `detail` tells how many fit")
@blueprint.problem(400, "A filter that cannot be")
def list_orders(query: dict[str, Any]) -> Any:
    """List orders

    The latest first, filtered, in pages by `offset` or by `cursor`. A page may have fewer than `limit` items
    where more would have too many bytes: continue while `has_more`, by `next_cursor`.
    """
    return service.page(query)


@blueprint.post("")
@blueprint.arguments(schemas.OrderSubmitSchema, example=schemas.EXAMPLE)
@blueprint.once()
@blueprint.response(202, schemas.OrderSchema, example=schemas.QUEUED_EXAMPLE)
@blueprint.problem(400, "A field breaks a rule; it is named like `items.3.quantity`")
@blueprint.problem(409, "An order with this id and other content is kept; the differences are named")
def submit_order(order: dict[str, Any]) -> Any:
    """Submit an order

    It is kept when this answers, and processed in the background. Its `id` is yours and identifies it: the same content
    again is the same order, so repeat a request that got no answer.
    """
    kept = service.submit(order)
    return kept, 202, {"Location": url_for("orders.get_order", order_id=kept.id)}


@blueprint.get("/<int:order_id>")
@blueprint.response(200, schemas.OrderSchema, example=schemas.PROCESSED_EXAMPLE)
@blueprint.problem(404, "No such order")
def get_order(order_id: int) -> Any:
    """Read an order

    With its total and what is known of its products, once it is `processed`; with an `error` if it has `failed`.
    """
    return service.get(order_id)


@blueprint.post("/<int:order_id>/retry")
@blueprint.once()
@blueprint.response(202, schemas.OrderSchema, example=schemas.QUEUED_EXAMPLE)
@blueprint.problem(404, "No such order")
@blueprint.problem(409, "It is processed, or being processed")
def retry_order(order_id: int) -> Any:
    """Retry an order

    One that has failed is queued anew, with another day of attempts; one that waits for its next attempt goes at once.
    """
    return service.retry(order_id), 202
