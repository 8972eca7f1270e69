"""The content of an order: its canonical form, its hash, and in what two contents differ. Pure.

A content is {"id", "customer", "items": [{"sku", "quantity", "unit_price"}], "submitted_at"}, as the schema loads it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from catalog.errors import FieldError, field_error

PLACES = 4
TOTAL_BELOW = Decimal(10) ** 11  # with four decimals 15 digits, which a JSON number holds exactly everywhere

quoted = encode_basestring  # text as a JSON string, as RFC 8785 wants it

Content = dict[str, Any]
Item = dict[str, Any]


def canonical(content: Content) -> bytes:
    """Return the bytes that the hash is taken of; docs/orders.md describes them.

    JSON in the form of RFC 8785, money as text with four decimals, the time in UTC with six.
    """
    items = ",".join(
        f'{{"quantity":{item["quantity"]},"sku":{quoted(item["sku"])},"unit_price":"{money(item["unit_price"])}"}}'
        for item in content["items"]
    )
    return (
        f'{{"customer":{quoted(content["customer"])},"id":{content["id"]},'
        f'"items":[{items}],"submitted_at":"{moment(content["submitted_at"])}"}}'
    ).encode()


def digest(content: Content) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(content)).hexdigest()


def money(amount: Decimal) -> str:
    """Return an amount as text with four decimals, e.g. `10.0000`."""
    return f"{amount:.{PLACES}f}"


def moment(time: datetime) -> str:
    """Return a time in UTC with six decimals, e.g. `2026-01-05T10:00:00.000000Z`."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def line_total(item: Item) -> Decimal:
    """Return what an item costs."""
    return Decimal(item["unit_price"] * item["quantity"])


def total(items: Sequence[Item]) -> Decimal:
    """Return what the items cost together."""
    return sum(map(line_total, items), Decimal(0))


def differences(kept: Content, given: Content) -> list[FieldError]:
    """Name each field in which an order that is kept and one that is given differ."""
    before, after = dict(_fields(kept)), dict(_fields(given))
    return [
        field_error(name, f"Is {_shown(before.get(name))} in the order that is kept.", "differs")
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _fields(content: Content) -> Iterator[tuple[str, str]]:
    yield "customer", json.dumps(content["customer"], ensure_ascii=False)
    for number, item in enumerate(content["items"]):
        yield f"items.{number}.sku", json.dumps(item["sku"], ensure_ascii=False)
        yield f"items.{number}.quantity", str(item["quantity"])
        yield f"items.{number}.unit_price", money(item["unit_price"])
    yield "submitted_at", moment(content["submitted_at"])


def _shown(value: str | None) -> str:
    return "missing" if value is None else value
