"""GraphQL over orders."""

from typing import Any, Self

import strawberry
from strawberry import ID, UNSET

from catalog.errors import NotFound
from catalog.graph import Json, Time, given, loaded, needs, wanted
from catalog.orders import models, schemas, service

_NEW, _QUERY, _ITEMS = schemas.OrderSubmitSchema(), schemas.OrderQuerySchema(), schemas.OrderItemSchema(many=True)
_LISTED = {"limit": "first", "offset": "skip", "cursor": "after"}
_SCOPE = needs("orders")
_AS_THEY_ARE = (
    *("customer", "status", "hash", "submitted_at", "created_at", "processed_at", "error", "attempts"),
    "next_attempt_at",
)


@strawberry.type
class OrderItem:
    """One item of an order; `lineTotal` and `product` are null until the order is processed."""

    sku: str
    quantity: int
    unit_price: float
    line_total: float | None
    product: Json | None = strawberry.field(description="`{source, id, title, category, image, price}`.")


@strawberry.type
class Order:
    """An order; its `id` is its client's."""

    id: ID
    customer: str
    status: str = strawberry.field(description="queued, processing, processed or failed.")
    items: list[OrderItem]
    total: float | None
    hash: str = strawberry.field(description="SHA-256 of the canonical content.")
    submitted_at: Time
    created_at: Time
    processed_at: Time | None
    error: str | None
    attempts: int
    next_attempt_at: Time | None

    @classmethod
    def of(cls, row: models.Order) -> Self:
        """Return a row of the table as it is shown."""
        same = {name: getattr(row, name) for name in _AS_THEY_ARE}
        items = [OrderItem(**item) for item in _ITEMS.dump(row.items)]
        total = None if row.total is None else float(row.total)
        return cls(id=ID(str(row.id)), items=items, total=total, **same)


@strawberry.type
class OrderPage:
    """A page of orders, the latest first."""

    items: list[Order]
    total: int
    has_more: bool
    next_cursor: str | None


@strawberry.type
class OrderPayload:
    """The order as it is after a change."""

    order: Order


@strawberry.input
class OrderItemInput:
    """One item of a new order."""

    sku: str
    quantity: int
    unit_price: float


@strawberry.type
class Query:
    """What can be asked about orders."""

    @strawberry.field(metadata=_SCOPE)
    def orders(
        self,
        first: int | None = 20,
        skip: int | None = 0,
        after: str | None = UNSET,
        status: str | None = UNSET,
        customer: str | None = UNSET,
    ) -> OrderPage:
        """Orders, the latest first."""
        asked = wanted(limit=first, offset=skip or None, cursor=after, status=status, customer=customer)
        page = service.page(loaded(_QUERY, asked, _LISTED))
        cursor = page["next_cursor"]
        return OrderPage(
            items=[Order.of(row) for row in page["items"]],
            total=page["total"],
            has_more=page["has_more"],
            next_cursor=None if cursor is None else str(cursor),
        )

    @strawberry.field(metadata=_SCOPE)
    def order(self, order_id: ID) -> Order | None:
        """Return the order with this id."""
        return Order.of(service.get(_number(order_id)))


@strawberry.type
class Mutation:
    """What can be done with orders."""

    @strawberry.mutation(metadata=_SCOPE)
    def submit_order(self, order_id: ID, customer: str, items: list[OrderItemInput], submitted_at: str) -> OrderPayload:
        """Submit an order; the same content again is the same order."""
        lines: list[dict[str, Any]] = [given(**vars(item)) for item in items]
        order = {"id": _written(order_id), "customer": customer, "items": lines, "submitted_at": submitted_at}
        return OrderPayload(order=Order.of(service.submit(loaded(_NEW, order, {"id": "orderId"}))))

    @strawberry.mutation(metadata=_SCOPE)
    def retry_order(self, order_id: ID) -> OrderPayload:
        """Queue a failed order anew, or try one at once that waits for its next attempt."""
        return OrderPayload(order=Order.of(service.retry(_number(order_id))))


def _written(order_id: str) -> int | str:
    """Return an id as the schema wants it; what is no number, it refuses."""
    return int(order_id) if order_id.isascii() and order_id.isdecimal() and len(order_id) < 20 else order_id


def _number(order_id: str) -> int:
    number = _written(order_id)
    if isinstance(number, str):
        raise NotFound("There is no such order.")
    return number
