"""Lists of products: filters, search, order, and pages by offset or by cursor."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    SQLColumnExpression,
    Uuid,
    and_,
    any_,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import Session

from catalog.errors import ValidationFailed, field_error
from catalog.products.models import MAX_INTEGER, PRICE_BELOW, Product, name_key, price_key, search_document, sku_key

EXACT_TOTAL_UP_TO = 10_000
_SCANS = text("SELECT set_config('enable_seqscan', :value, true), set_config('enable_indexscan', :value, true)")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Page:
    """One page of products and where it lies in the whole list."""

    items: list[Product]
    cursors: Callable[[], list[str]]  # of each item, for who wants to go on in the middle
    total: int
    total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


@dataclass(frozen=True)
class _Order:
    """A sortable field: the SQL that an index is ordered by, and how a cursor's value is read back."""

    key: SQLColumnExpression[Any]
    read: Any
    unique: bool = False


def _orders() -> dict[str, _Order]:
    return {
        # Ids are made in the order of time (UUIDv7), so the primary key is the order of creation.
        "created_at": _Order(Product.id, lambda value: uuid.UUID(value), unique=True),
        "number": _Order(Product.number, _number, unique=True),
        "sku": _Order(sku_key(Product.sku), str, unique=True),
        "name": _Order(name_key(), str),
        "price": _Order(price_key(), _price),
    }


def page(session: Session, query: dict[str, Any]) -> Page:
    """Return the page that `query` (a loaded ProductQuerySchema) asks for.

    Raises ValidationFailed for a cursor that this order did not give out.
    """
    order = _orders()[query["sort"].lstrip("-")]
    descending = query["sort"].startswith("-")
    filtered = _filtered(select(Product), query)
    statement = _ordered(filtered, order, descending, query)
    with _through_the_text_index(session, "search" in query):
        total, exact = _total(session, filtered)
    with _through_the_text_index(session, "search" in query and exact):
        rows = session.execute(statement).all() if total else []
    items = [row[0] for row in rows[: query["limit"]]]
    has_more = len(rows) > query["limit"]
    return Page(
        items=items,
        cursors=lambda: [_encode(query["sort"], row) for row in rows[: len(items)]],
        total=total,
        total_exact=exact,
        limit=query["limit"],
        offset=query["offset"],
        has_more=has_more,
        next_cursor=_encode(query["sort"], rows[len(items) - 1]) if has_more else None,
    )


def everything(query: dict[str, Any]) -> Select[Any]:
    """Return the statement of all products that a loaded ProductExportSchema asks for, in its order."""
    order = _orders()[query["sort"].lstrip("-")]
    return _filtered(select(Product), query).order_by(*_directed(order, query["sort"]))


def keep_to_the_text_index(connection: Connection) -> None:
    """Have the transaction find words by their index, which is right wherever all that match are wanted."""
    connection.execute(_SCANS, {"value": "off"})


@contextmanager
def _through_the_text_index(session: Session, wanted: bool) -> Iterator[None]:
    """Keep the planner to the text index, which only bitmap scans use.

    It takes a begun word that it has never seen for a common one, and would walk an ordered index past every
    product: seconds for a word that none of a million has, against 3 ms. Where a word is found to be common,
    the walk is right: it soon meets enough of them.
    """
    if wanted:
        session.execute(_SCANS, {"value": "off"})
    yield
    if wanted:
        session.execute(_SCANS, {"value": "on"})


def _filtered(statement: Select[Any], query: dict[str, Any]) -> Select[Any]:
    conditions = {
        "ids": lambda value: Product.id == any_(cast([str(one) for one in value], ARRAY(Uuid))),
        "active": lambda value: Product.active.is_(value),
        "category": lambda value: Product.category == value,
        # In the words of the index on price_key(), where only a product without a price is free.
        "min_price": lambda value: and_(price_key() >= value, price_key() > 0),
        "max_price": lambda value: and_(price_key() <= value, price_key() > 0),
        "sku": lambda value: _holds(Product.sku, value),
        "name": lambda value: _holds(Product.name, value),
        "search": matches,
    }
    for name, condition in conditions.items():
        if name in query:
            statement = statement.where(condition(query[name]))
    return statement


def _holds(column: SQLColumnExpression[str], part: str) -> ColumnElement[bool]:
    pattern = literal("%").concat(_escaped_lower(part)).concat("%")
    return func.lower(column).like(pattern, escape="\\")


def matches(words: str) -> ColumnElement[bool]:
    """Return the condition that a product has all words, the last one perhaps only begun, or a SKU so begun."""
    found = _WORD.findall(words)
    by_sku = sku_key(Product.sku).like(_escaped_lower(words.strip()).concat("%"), escape="\\")
    if not found:
        return by_sku
    lexemes = " & ".join(f"'{word}'" for word in found) + ":*"
    by_text = search_document().op("@@")(cast(func.to_tsquery("simple", lexemes), TSQUERY))
    return or_(by_text, by_sku)


def _escaped_lower(value: str) -> ColumnElement[str]:
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return func.lower(literal(escaped))


def _ordered(statement: Select[Any], order: _Order, descending: bool, query: dict[str, Any]) -> Select[Any]:
    """Add the sort key, the start after the cursor, and one row more than the page, to see if more follow."""
    keys = [order.key] if order.unique else [order.key, Product.id]
    if "cursor" in query:
        after = _decode(query["cursor"], query["sort"], order)
        here, there = tuple_(*keys), tuple_(*after[: len(keys)])
        statement = statement.where(here < there if descending else here > there)
    else:
        statement = statement.offset(query["offset"])
    directed = _directed(order, query["sort"])
    return statement.add_columns(order.key.label("sort_key")).order_by(*directed).limit(query["limit"] + 1)


def _directed(order: _Order, sort: str) -> list[ColumnElement[Any]]:
    keys = [order.key] if order.unique else [order.key, Product.id]
    return [key.desc() if sort.startswith("-") else key.asc() for key in keys]


def _total(session: Session, filtered: Select[Any]) -> tuple[int, bool]:
    """Count exactly as far as that is cheap; beyond, return the planner's estimate and False."""
    matching = filtered.with_only_columns(literal(1)).select_from(Product)
    some = matching.limit(EXACT_TOTAL_UP_TO + 1).subquery()
    count = session.scalar(select(func.count()).select_from(some)) or 0
    if count <= EXACT_TOTAL_UP_TO:
        return count, True
    compiled = matching.compile(session.connection())
    plan = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled.string}", compiled.params)
    return max(int(plan.scalar_one()[0]["Plan"]["Plan Rows"]), count), False


def _number(value: Any) -> int:
    number = int(value)
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"{number} is no product's number")
    return number


def _price(value: Any) -> Decimal:
    price = Decimal(value)
    if not 0 <= price < PRICE_BELOW:
        raise ValueError(f"{price} is no product's price")
    return price


def _encode(sort: str, row: Any) -> str:
    value = [sort, str(row.sort_key), str(row[0].id)]
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _decode(cursor: str, sort: str, order: _Order) -> tuple[Any, uuid.UUID]:
    """Return the sort key and id that a page ended with; a cursor is opaque but holds no secret."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        given_sort, value, identity = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if given_sort != sort:
            raise ValidationFailed([field_error("cursor", f"This cursor belongs to sort={given_sort}.")])
        return order.read(value), uuid.UUID(identity)
    except (binascii.Error, UnicodeError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValidationFailed([field_error("cursor", "Not a cursor that this list gave out.")]) from error
