"""Products as GraphQL shows them: `id` is the number, `title` the name."""

import uuid
from typing import Self

import strawberry

from catalog.graph import Json, Time
from catalog.products import models, queueing
from catalog.products.listing import Page


@strawberry.type
class Product:
    """A product of the catalog."""

    id: strawberry.ID = strawberry.field(description="Its number.")
    uuid: strawberry.ID = strawberry.field(description="Its id in the REST API.")
    sku: str
    title: str
    price: float | None
    description: str | None
    category: str | None
    image: str | None
    rating: Json | None = strawberry.field(description="`{rate, count}`.")
    active: bool
    stock_quantity: int
    version: int = strawberry.field(description="Counts its changes.")
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, row: models.Product) -> Self:
        """Return a row of the table as it is shown."""
        return cls(
            id=strawberry.ID(str(row.number)),
            uuid=strawberry.ID(str(row.id)),
            sku=row.sku,
            title=row.name,
            price=_float(row.price),
            description=row.description,
            category=row.category,
            image=row.image,
            rating=_rating(row),
            active=row.active,
            stock_quantity=row.stock_quantity,
            version=row.version,
            created_at=Time(row.created_at),
            updated_at=Time(row.updated_at),
        )


def _float(number: object) -> float | None:
    return None if number is None else float(number)  # type: ignore[arg-type]


def _rating(row: models.Product) -> Json | None:
    rating = row.rating
    return None if rating is None else Json({"rate": _float(rating["rate"]), "count": rating["count"]})


@strawberry.type
class PageInfo:
    """Where a page lies, as Relay wants it."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class ProductEdge:
    """A product and the cursor after which the next begins."""

    node: Product
    cursor: str


@strawberry.type
class ProductConnection:
    """A page of products, as Relay wants it."""

    edges: list[ProductEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="How many match; an estimate where `totalExact` is false.")
    total_exact: bool

    @classmethod
    def of(cls, page: Page, begun: bool) -> Self:
        """Return a page as it is shown; `begun` tells whether a cursor led to it."""
        cursors = page.cursors()
        edges = [
            ProductEdge(node=Product.of(row), cursor=cursor) for row, cursor in zip(page.items, cursors, strict=True)
        ]
        info = PageInfo(
            has_next_page=page.has_more,
            has_previous_page=begun,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )
        return cls(edges=edges, page_info=info, total_count=page.total, total_exact=page.total_exact)


@strawberry.type
class ProductPayload:
    """The product as it is after a change."""

    product: Product


@strawberry.type
class QueuedWrite:
    """The answer to a write that is made a moment later."""

    success: bool
    message: str
    job_id: strawberry.ID | None = strawberry.field(description="Where to watch it: `/api/v1/jobs/{jobId}`.")
    product_id: strawberry.ID | None = strawberry.field(description="The UUID that the product has, or will have.")

    @classmethod
    def of(cls, answer: queueing.Answer) -> Self:
        """Return an answer as it is shown."""
        return cls(
            success=answer.success,
            message=answer.message,
            job_id=_identity(answer.job_id),
            product_id=_identity(answer.product_id),
        )


def _identity(value: uuid.UUID | None) -> strawberry.ID | None:
    return strawberry.ID(str(value)) if value else None
