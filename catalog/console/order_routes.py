"""The orders page: what came in, what became of it, and what could not be read."""

from typing import Any

from flask import Response, request

from catalog.console import pages
from catalog.orders import deadletters, schemas, service

blueprint = pages.blueprint("orders", __name__)


@blueprint.get("")
@blueprint.arguments(schemas.OrderQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List orders."""
    page, given = service.page(query), request.args.to_dict()
    return pages.show("orders.html", part="_orders_list.html", section="orders", page=page, given=given)


@blueprint.get("/dead")
def dead() -> Response:
    """List what came by the queue and is no order."""
    return pages.show("orders_dead.html", part="_orders_dead.html", section="orders", found=deadletters.listing())


@blueprint.post("/dead/requeue")
def requeue() -> Response:
    """Put all of it at the end of the queue again."""
    number = deadletters.requeue()
    notice = f"{number} elements are queued again."
    return pages.show("orders_dead.html", part="_orders_dead.html", found=deadletters.listing(), notice=notice)


@blueprint.get("/<int:order_id>")
def show(order_id: int) -> Response:
    """Show an order."""
    order = service.get(order_id)
    return pages.show("order.html", part="_order.html", section="orders", order=order)


@blueprint.post("/<int:order_id>/retry")
def retry(order_id: int) -> Response:
    """Try an order again now."""
    order = service.retry(order_id)
    return pages.show("order.html", part="_order.html", order=order, notice=f"Order {order.id} is tried again.")
