"""Sample products, for trying things out."""

from decimal import Decimal

from sqlalchemy import select

from catalog.database import transaction
from catalog.products import service
from catalog.products.models import Product, sku_key

# name, category, price, stock
_SAMPLES = (
    ("Desk lamp", "Lighting", "39.90", 24),
    ("Walnut desk", "Furniture", "489.00", 5),
    ("Mechanical keyboard", "Computers", "119.50", 60),
    ("Wireless mouse", "Computers", "34.95", 140),
    ("Noise-cancelling headphones", "Audio", "199.00", 33),
    ("Studio microphone", "Audio", "149.00", 12),
    ("27-inch screen", "Computers", "329.00", 18),
    ("Laptop stand", "Computers", "44.90", 75),
    ("Office chair", "Furniture", "259.00", 9),
    ("Standing mat", "Furniture", "59.00", 21),
    ("USB-C dock", "Computers", "179.00", 27),
    ("Webcam", "Computers", "89.00", 41),
    ("Floor lamp", "Lighting", "129.00", 8),
    ("LED strip", "Lighting", "24.50", 200),
    ("Bookshelf speaker", "Audio", "219.00", 14),
    ("Turntable", "Audio", "279.00", 6),
    ("Filing cabinet", "Furniture", "149.00", 11),
    ("Notebook, dotted", "Stationery", "9.80", 500),
    ("Fountain pen", "Stationery", "48.00", 37),
    ("Desk organiser", "Stationery", "19.90", 90),
)


def seed(count: int = len(_SAMPLES)) -> int:
    """Add the first `count` sample products that are not there yet; return how many were added."""
    with transaction():
        return sum(_add(number, sample) for number, sample in enumerate(_SAMPLES[:count], start=1))


def seed_if_empty(count: int = 5) -> int:
    """Add sample products to a catalog that holds none; return how many were added."""
    with transaction() as session:
        return 0 if session.scalar(select(Product.id).limit(1)) else seed(count)


def _add(number: int, sample: tuple[str, str, str, int]) -> bool:
    name, category, price, stock = sample
    sku = f"SAMPLE-{number:02}"
    with transaction() as session:
        if session.scalar(select(Product.id).where(sku_key(Product.sku) == sku_key(sku))):
            return False
        service.create(
            {
                "sku": sku,
                "name": name,
                "category": category,
                "price": Decimal(price),
                "stock_quantity": stock,
            }
        )
        return True
