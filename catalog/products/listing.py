"""Lists of products: filters, search, order, and pages by offset or by cursor."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Uuid, and_, any_, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import Session

from catalog import pagination
from catalog.products import searching
from catalog.products.models import Product, price_key, search_document, sku_key
from catalog.products.paging import order_of
from catalog.products.searching import Found

EXACT_TOTAL_UP_TO = 10_000
LAST_SKU = "\U0010ffff" * 101  # longer than any, of the last character: what begins with a text sorts before both
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


def page(session: Session, query: dict[str, Any]) -> Page:
    """Return the page that `query` (a loaded ProductQuerySchema) asks for, its total exact up to EXACT_TOTAL_UP_TO.

    Raises ValidationFailed for a cursor that this order did not give out.
    """
    return _page(session, query, searching.found)


def glimpse(session: Session, query: dict[str, Any]) -> Page:
    """Return the same page for people, who need it at once more than a count."""
    return _page(session, query, searching.glimpsed)


def _page(session: Session, query: dict[str, Any], search: Callable[..., Found]) -> Page:
    order = order_of(query["sort"])
    filtered = _filtered(select(Product), query)
    order.after(order.keys, query)  # a wrong cursor is refused also where nothing matches
    if "search" in query:
        found = search(session, filtered, order, query, EXACT_TOTAL_UP_TO)
    else:
        number = _count(session, filtered, EXACT_TOTAL_UP_TO)
        rows = searching.paged(session, filtered, order, query) if number else pagination.NONE
        found = Found(number, rows, exact=number <= EXACT_TOTAL_UP_TO)
    page = found.page
    return Page(
        items=[row[0] for row in page.rows],
        cursors=lambda: [order.cursor(row) for row in page.rows],
        total=found.number if found.exact else max(found.number, _estimate(session, filtered)),
        total_exact=found.exact,
        limit=query["limit"],
        offset=query.get("offset", 0),
        has_more=page.has_more,
        next_cursor=order.cursor(page.rows[-1]) if page.has_more else None,
    )


def everything(query: dict[str, Any]) -> Select[Any]:
    """Return the statement of all products that a loaded ProductExportSchema asks for, in its order."""
    order = order_of(query["sort"])
    return _filtered(select(Product), query).order_by(*order.directed(order.keys))


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
    """Return the condition that a product has all words, the last one perhaps only begun, or a SKU so begun.

    A range of SKUs and not LIKE: what two indexes say for certain is not asked of each product once more.
    """
    found = _WORD.findall(words)
    begun = func.lower(literal(words.strip()))
    by_sku = and_(sku_key(Product.sku) >= begun, sku_key(Product.sku) < begun.concat(LAST_SKU))
    if not found:
        return by_sku
    lexemes = " & ".join(f"'{word}'" for word in found) + ":*"
    by_text = search_document().op("@@")(cast(func.to_tsquery("simple", lexemes), TSQUERY))
    return or_(by_text, by_sku)


def _escaped_lower(value: str) -> ColumnElement[str]:
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return func.lower(literal(escaped))


def _count(session: Session, filtered: Select[Any], exact_up_to: int) -> int:
    """Count as far as that is cheap: up to one more than `exact_up_to`."""
    some = _matching(filtered).limit(exact_up_to + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _estimate(session: Session, filtered: Select[Any]) -> int:
    """Return how many the planner thinks that there are."""
    compiled = _matching(filtered).compile(session.connection())
    plan = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled.string}", compiled.params)
    return int(plan.scalar_one()[0]["Plan"]["Plan Rows"])


def _matching(filtered: Select[Any]) -> Select[Any]:
    return filtered.with_only_columns(literal(1)).select_from(Product)
