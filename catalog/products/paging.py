"""The orders that lists of products come in, and the cursors that keep a place in them."""

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, true, tuple_

from catalog.errors import CatalogError, ValidationFailed, field_error
from catalog.numbers import exact
from catalog.products.models import MAX_NUMBER, PRICE_BELOW, Product, name_key, price_key, sku_key
from catalog.strictjson import parse_json

Keys = Sequence[SQLColumnExpression[Any]]


@dataclass(frozen=True)
class Order:
    """An order, as `sort` asks for it: the SQL that an index is ordered by, and how a cursor's value is read back."""

    sort: str
    key: SQLColumnExpression[Any]
    read: Any
    unique: bool = False

    @property
    def keys(self) -> list[SQLColumnExpression[Any]]:
        """What rows are compared by: the key, and where two may share it the id."""
        return self.only(self.key, Product.id)

    def only(self, key: SQLColumnExpression[Any], identity: SQLColumnExpression[Any]) -> list[SQLColumnExpression[Any]]:
        """Return the same of columns that stand for the key and the id."""
        return [key] if self.unique else [key, identity]

    def directed(self, keys: Keys) -> list[ColumnElement[Any]]:
        """Return what to order by."""
        return [key.desc() if self._descends else key.asc() for key in keys]

    def placed(self, statement: Select[Any], keys: Keys, query: dict[str, Any]) -> Select[Any]:
        """Return the statement in this order, from a query's cursor or offset on. Raises ValidationFailed."""
        from_here = statement.where(self.after(keys, query))
        if "cursor" not in query:
            from_here = from_here.offset(query.get("offset", 0))
        return from_here.order_by(*self.directed(keys))

    def after(self, keys: Keys, query: dict[str, Any]) -> ColumnElement[bool]:
        """Return the condition that a row comes after a query's cursor, if it has one. Raises ValidationFailed."""
        if "cursor" not in query:
            return true()
        here, there = tuple_(*keys), tuple_(*self._decode(query["cursor"])[: len(keys)])
        return here < there if self._descends else here > there

    def cursor(self, row: Any) -> str:
        """Return the cursor after a row, whose first column is a product and which has its `sort_key`."""
        value = [self.sort, str(row.sort_key), str(row[0].id)]
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    @property
    def _descends(self) -> bool:
        return self.sort.startswith("-")

    def _decode(self, cursor: str) -> tuple[Any, uuid.UUID]:
        """Return the sort key and id that a page ended with; a cursor is opaque but holds no secret."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            sort, value, identity = parse_json(base64.b64decode(padded, altchars=b"-_", validate=True))
            if sort == self.sort:
                return self.read(_text(value)), uuid.UUID(identity)
        except (CatalogError, ValueError, TypeError, AttributeError) as error:
            raise ValidationFailed([field_error("cursor", "Not a cursor that this list gave out.")]) from error
        raise ValidationFailed([field_error("cursor", f"This cursor belongs to sort={str(sort)[:50]}.")])


def order_of(sort: str) -> Order:
    """Return the order that `sort` names, with a - before it the other way round."""
    return {
        # Ids are made in the order of time (UUIDv7), so the primary key is the order of creation.
        "created_at": Order(sort, Product.id, uuid.UUID, unique=True),
        "number": Order(sort, Product.number, _number, unique=True),
        "sku": Order(sort, sku_key(Product.sku), str, unique=True),
        "name": Order(sort, name_key(), str),
        "price": Order(sort, price_key(), _price),
    }[sort.lstrip("-")]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("not a text that PostgreSQL can compare")
    return value


def _number(value: Any) -> int:
    number = int(value)
    if abs(number) > MAX_NUMBER:
        raise ValueError(f"{number} is no product's number")
    return number


def _price(value: Any) -> Decimal:
    price = exact(value)
    if not price.is_finite() or not 0 <= price < PRICE_BELOW:
        raise ValueError(f"{price} is no product's price")
    return price
