"""Who gets what of the stock: each order in turn, wholly or not at all. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shortage:
    """An order wants so many units of a product, and so many were there for it; none of a product that is gone."""

    product_id: uuid.UUID
    wanted: int
    available: int


def allot(
    stock: Mapping[uuid.UUID, int], orders: Sequence[Mapping[uuid.UUID, int]]
) -> tuple[dict[uuid.UUID, int], list[list[Shortage]]]:
    """Return what is left of the stock, and for each order what it lacked; one that lacks anything takes nothing."""
    left, shortages = dict(stock), []
    for order in orders:
        lacked = [
            Shortage(each, units, left.get(each, 0)) for each, units in order.items() if left.get(each, 0) < units
        ]
        shortages.append(lacked)
        if not lacked:
            left.update({each: left[each] - units for each, units in order.items()})
    return left, shortages
