"""What is known of an order's SKUs: each source is asked for those that the ones before it do not know."""

import functools
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask, current_app

from catalog.database import transaction
from catalog.errors import NotFound
from catalog.orders import fakestore
from catalog.products import service as products

LOOKUP_SECONDS = 8.0  # for all lookups of a batch; the lease must outlast it
CATALOG = "catalog"

Known = dict[str, Any]  # {"source", "id", "title", "category", "image", "price"}


@dataclass
class Answer:
    """What a source knows, by SKU as it was asked, and why it could not tell of others; the rest it does not know."""

    known: dict[str, Known] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A place that knows products."""

    def find(self, skus: Collection[str]) -> Answer:
        """Look SKUs up, outside of any transaction."""


class Catalog:
    """Our own products; one query for all SKUs."""

    def find(self, skus: Collection[str]) -> Answer:
        """Look SKUs up, in any case."""
        with transaction():  # which ends before anyone else is asked
            found = products.known_skus(skus)
        return Answer({sku: self._known(product) for sku, product in found.items()})

    @staticmethod
    def _known(product: Any) -> Known:
        price = None if product.price is None else float(product.price)
        shown = {"category": product.category, "image": product.image, "price": price}
        return {"source": CATALOG, "id": str(product.id), "title": product.name, **shown}


class FakeStore:
    """FakeStore, asked by the number that ends a SKU, many at the same time."""

    def find(self, skus: Collection[str]) -> Answer:
        """Look SKUs up; what has no answer when the time for the batch is over, counts as unreachable."""
        numbers = {sku: number for sku in skus if (number := fakestore.number_of(sku)) is not None}
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        lookups = {number: _threads().submit(_lookup, app, number) for number in sorted(set(numbers.values()))}
        wait(lookups.values(), timeout=LOOKUP_SECONDS)
        answer = Answer()
        for sku, number in numbers.items():
            self._note(answer, sku, lookups[number])
        return answer

    @staticmethod
    def _note(answer: Answer, sku: str, lookup: "Future[Known | None]") -> None:
        if not lookup.done():
            lookup.cancel()
            answer.unreachable[sku] = f"No answer within {LOOKUP_SECONDS:g} s"
            return
        try:
            known = lookup.result()
        except fakestore.Unreachable as error:
            answer.unreachable[sku] = str(error)
            return
        if known:
            answer.known[sku] = known


def sources() -> list[Source]:
    """Return whom to ask, in this order."""
    return [Catalog(), *([FakeStore()] if current_app.config["FAKESTORE_URL"] else [])]


def look_up(skus: Collection[str], by: Sequence[Source] | None = None) -> Answer:
    """Return what the sources know together."""
    found, missing = Answer(), set(skus)
    for source in sources() if by is None else by:
        answer = source.find(missing) if missing else Answer()
        found.known |= answer.known
        found.unreachable |= answer.unreachable
        missing -= answer.known.keys()
    found.unreachable = {sku: reason for sku, reason in found.unreachable.items() if sku in missing}
    return found


def _lookup(app: Flask, number: int) -> Known | None:
    with app.app_context():
        try:
            found = fakestore.product(number).value
        except NotFound:
            return None
    return {"source": "fakestore", **found, "id": str(found["id"])}


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(fakestore.CONNECTIONS, "fakestore")
