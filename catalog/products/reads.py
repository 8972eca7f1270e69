"""What is cached of products: the JSON that GET answers, so that a hit need not be decoded or encoded."""

import uuid
from typing import Any

from catalog.cache import cached
from catalog.http import etag
from catalog.products import service
from catalog.products.schemas import ProductSchema

_schema = ProductSchema()


@cached("product:{product_id}", etag=lambda value: etag(value["version"]))
def product(product_id: uuid.UUID) -> Any:
    """Return a product's JSON. Raises NotFound."""
    return _schema.dump(service.get(product_id))
