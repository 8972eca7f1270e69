"""GraphQL over products."""

from typing import Any

import strawberry
from strawberry import ID, UNSET

from catalog.graph import MAX_PAGE, Done, given, loaded, needs, wanted
from catalog.products import queueing, schemas, service
from catalog.products.graphql_types import Product, ProductConnection, ProductPayload, QueuedWrite

_QUERY, _NEW, _CHANGES = schemas.ProductQuerySchema(), schemas.ProductCreateSchema(), schemas.ProductChangeSchema()
_WRITTEN = {"name": "title", "rating.rate": "ratingRate", "rating.count": "ratingCount"}
_LISTED = {"limit": "first", "offset": "skip", "cursor": "after"}
_READS, _WRITES = needs("products:read"), needs("products:write")


@strawberry.type
class Query:
    """What can be asked about products."""

    @strawberry.field(metadata=_READS)
    def all_products(
        self, search: str | None = UNSET, first: int | None = MAX_PAGE, skip: int | None = 0
    ) -> list[Product]:
        """Products in the order of their numbers; `search` are words in title, description, category or SKU."""
        asked = wanted(search=(search or "").strip() or None, limit=first)
        query = loaded(_QUERY, {"limit": MAX_PAGE, "sort": "number", "offset": skip or 0, **asked}, _LISTED)
        return [Product.of(row) for row in service.search(query).items]

    @strawberry.field(metadata=_READS)
    def products(
        self,
        first: int | None = 20,
        after: str | None = UNSET,
        search: str | None = UNSET,
        sku: str | None = UNSET,
        name: str | None = UNSET,
        category: str | None = UNSET,
        active: bool | None = UNSET,
        min_price: float | None = UNSET,
        max_price: float | None = UNSET,
        sort: str | None = "-created_at",
    ) -> ProductConnection:
        """Products filtered, searched and sorted as in the REST API, in pages by cursor."""
        filters = wanted(search=search, sku=sku, name=name, category=category, active=active)
        prices = wanted(min_price=min_price, max_price=max_price)
        query = loaded(_QUERY, {**filters, **prices, **wanted(limit=first, cursor=after, sort=sort)}, _LISTED)
        return ProductConnection.of(service.search(query), begun="cursor" in query)

    @strawberry.field(metadata=_READS)
    def product(self, product_id: ID) -> Product | None:
        """Return the product with this number or UUID."""
        return Product.of(service.get_by_reference(product_id))


@strawberry.type
class Mutation:
    """What can be done to products."""

    @strawberry.mutation(metadata=_WRITES)
    def create_product(
        self,
        title: str,
        price: float,
        description: str | None = UNSET,
        category: str | None = UNSET,
        image: str | None = UNSET,
        rating_rate: float | None = UNSET,
        rating_count: int | None = UNSET,
        sku: str | None = UNSET,
        active: bool | None = UNSET,
        stock_quantity: int | None = UNSET,
    ) -> QueuedWrite:
        """Have a product created: answered at once, and not lost, but written a moment later."""
        texts = given(name=title, description=description, category=category, image=image)
        others = given(price=price, active=active, stock_quantity=stock_quantity)
        return QueuedWrite.of(queueing.create(_new(texts | others | wanted(sku=sku), rating_rate, rating_count)))

    @strawberry.mutation(metadata=_WRITES)
    def update_product(
        self,
        product_id: ID,
        title: str | None = UNSET,
        price: float | None = UNSET,
        description: str | None = UNSET,
        category: str | None = UNSET,
        image: str | None = UNSET,
        rating_rate: float | None = UNSET,
        rating_count: int | None = UNSET,
        sku: str | None = UNSET,
        active: bool | None = UNSET,
        stock_quantity: int | None = UNSET,
    ) -> QueuedWrite:
        """Have a product changed: answered at once, and not lost, but written a moment later."""
        texts = given(name=title, description=description, category=category, image=image)
        others = given(price=price, active=active, stock_quantity=stock_quantity)
        changes = _changes(texts | others | given(sku=sku), rating_rate, rating_count)
        return QueuedWrite.of(queueing.update(product_id, changes))

    @strawberry.mutation(metadata=_WRITES)
    def create_product_sync(
        self,
        title: str,
        price: float,
        description: str | None = UNSET,
        category: str | None = UNSET,
        image: str | None = UNSET,
        rating_rate: float | None = UNSET,
        rating_count: int | None = UNSET,
        sku: str | None = UNSET,
        active: bool | None = UNSET,
        stock_quantity: int | None = UNSET,
    ) -> ProductPayload:
        """Create a product; without a `sku` it gets `SKU-<number>`."""
        texts = given(name=title, description=description, category=category, image=image)
        others = given(price=price, active=active, stock_quantity=stock_quantity)
        fields = _new(texts | others | wanted(sku=sku), rating_rate, rating_count)
        return ProductPayload(product=Product.of(service.create(fields)))

    @strawberry.mutation(metadata=_WRITES)
    def update_product_sync(
        self,
        product_id: ID,
        title: str | None = UNSET,
        price: float | None = UNSET,
        description: str | None = UNSET,
        category: str | None = UNSET,
        image: str | None = UNSET,
        rating_rate: float | None = UNSET,
        rating_count: int | None = UNSET,
        sku: str | None = UNSET,
        active: bool | None = UNSET,
        stock_quantity: int | None = UNSET,
        version: int | None = UNSET,
    ) -> ProductPayload:
        """Change the given fields of a product; with `version`, only if it is still that one."""
        texts = given(name=title, description=description, category=category, image=image)
        others = given(price=price, active=active, stock_quantity=stock_quantity)
        changes = _changes(texts | others | given(sku=sku), rating_rate, rating_count)
        product = service.get_by_reference(product_id)
        versions = set(wanted(version=version).values()) or None
        return ProductPayload(product=Product.of(service.update(product.id, changes, versions)))

    @strawberry.mutation(metadata=_WRITES)
    def delete_product(self, product_id: ID) -> Done:
        """Delete a product."""
        service.delete(service.get_by_reference(product_id).id)
        return Done(success=True, message=f"Product {product_id} deleted")


def _new(fields: dict[str, Any], rate: Any, count: Any) -> dict[str, Any]:
    return loaded(_NEW, {**fields, **_rating(rate, count)}, _WRITTEN)


def _changes(fields: dict[str, Any], rate: Any, count: Any) -> dict[str, Any]:
    """Half a rating changes that half only."""
    changes = loaded(_CHANGES, {**fields, **_rating(rate, count)}, _WRITTEN)
    ungiven = {name for name, value in {"rating_rate": rate, "rating_count": count}.items() if value is UNSET}
    return {name: value for name, value in changes.items() if name not in ungiven}


def _rating(rate: Any, count: Any) -> dict[str, Any]:
    parts = given(rate=rate, count=count)
    return {"rating": {"rate": None, "count": None, **parts}} if parts else {}
