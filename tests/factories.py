"""Makes what tests need, through the services that everyone else uses."""

from itertools import count
from typing import Any

from catalog.products import service
from catalog.products.models import Product

_numbers = count(1)


def make_product(**fields: Any) -> Product:
    """Create a product; needs an application context."""
    number = next(_numbers)
    return service.create({"sku": f"TEST-{number}", "name": f"Product {number}", **fields})
