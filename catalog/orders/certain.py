"""The fast way through an order's checks: what is certainly valid is known in a tenth of the schema's time.

It only accepts, and the schema has the last word on everything else; a property test holds the two together.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.orders import content

MAX_ID = 2**53 - 1  # what every JSON reader keeps exactly
MAX_ITEMS = 200
MAX_QUANTITY = 1_000_000
PRICE_BELOW = Decimal(10) ** 10
AHEAD = timedelta(minutes=5)

_ORDER = {"id", "customer", "items", "submitted_at"}
_ITEM = {"sku", "quantity", "unit_price"}
_PLACES = Decimal("0.0001")


def certain(body: Any) -> content.Content | None:
    """Return the content of a body that is certainly valid, else None: then the schema decides."""
    try:
        if body.keys() != _ORDER or type(body["id"]) is not int or not 0 < body["id"] <= MAX_ID:
            return None
        if not _is_text(body["customer"], 255) or not 1 <= len(body["items"]) <= MAX_ITEMS:
            return None
        submitted_at = datetime.fromisoformat(body["submitted_at"])
        if submitted_at.tzinfo is None or submitted_at > datetime.now(UTC) + AHEAD:
            return None
        items = [_item(each) for each in body["items"]]
        submitted_at = submitted_at.astimezone(UTC)
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError):
        return None
    found = {"id": body["id"], "customer": body["customer"], "items": items, "submitted_at": submitted_at}
    return found if type(body["items"]) is list and content.total(items) < content.TOTAL_BELOW else None


def _is_text(value: Any, longest: int) -> bool:
    return type(value) is str and 0 < len(value) <= longest and "\0" not in value and not value.isspace()


def _item(given: Any) -> content.Item:
    """Return an item as the schema would; ValueError, or another error, where that is not certain."""
    sku, quantity, price = given["sku"], given["quantity"], given["unit_price"]
    if len(given) != len(_ITEM) or not _is_text(sku, 100) or type(quantity) is not int:
        raise ValueError
    if type(price) is int:
        price = Decimal(price)
    exact = price.quantize(_PLACES)
    if exact != price or not 0 <= price < PRICE_BELOW or not 1 <= quantity <= MAX_QUANTITY:
        raise ValueError
    return {"sku": sku.strip(), "quantity": quantity, "unit_price": abs(exact)}
