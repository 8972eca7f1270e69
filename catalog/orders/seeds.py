"""Realistic orders, for trying things out; the same seed makes the same orders. Pure."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.orders.content import moment

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
FALLBACK_SKUS = [f"P{number:03}" for number in range(1, 21)]

_NAMES = (
    "Acme",
    "Nordwind",
    "Kumo",
    "Lindgren",
    "Baltic",
    "Orchard",
    "Vela",
    "Hansen",
    "Café Zur Linde",
    "Müller",
    "Ōsaka",
)
_KINDS = ("Corp", "GmbH", "Ltd", "AB", "& Sons", "Trading", "S.A.", "K.K.")


def orders(count: int, seed: int, skus: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield so many orders as a client writes them, of these SKUs; most are small, a few are large."""
    chance = random.Random(seed)  # noqa: S311  # nosec B311
    first_id = chance.randrange(1, 2**50)
    time = FIRST_DAY + timedelta(seconds=chance.randrange(86_400))
    prices: dict[str, str] = {}
    for number in range(count):
        time += timedelta(seconds=chance.expovariate(1 / 40))
        items = [
            _item(chance, skus or FALLBACK_SKUS, prices) for _ in range(min(200, 1 + int(chance.expovariate(0.5))))
        ]
        customer = f"{chance.choice(_NAMES)} {chance.choice(_KINDS)}"
        yield {"id": first_id + number, "customer": customer, "items": items, "submitted_at": moment(time)}


def _item(chance: random.Random, skus: Sequence[str], prices: dict[str, str]) -> dict[str, Any]:
    sku = chance.choice(skus)
    price = prices.setdefault(sku, f"{chance.lognormvariate(3, 1):.2f}")
    return {"sku": sku, "quantity": 1 + int(chance.expovariate(0.4)), "unit_price": Decimal(price)}
