"""A page of the products that hold some words.

PostgreSQL has two ways to it, and each is slow where the other is fast. The text index gives all that match, in no
order: right for rare words. A walk along the order asks each product on its way: right for common words, of which it
soon meets a pageful. The planner cannot tell which is which: it takes a begun word that it has never seen for a common
one. So we take the ways ourselves, and walk only so far. docs/adr/0004.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Subquery, func, select, text, true
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.util import ClauseAdapter

from catalog import pagination
from catalog.products.models import Product, search_document
from catalog.products.paging import Order

WALKED = 4_000  # products that a walk asks at most

_INDEX_ONLY = {"enable_seqscan": "off", "enable_indexscan": "off"}  # the text index is used by bitmap scans alone
_WALK_ONLY = {"enable_bitmapscan": "off", "enable_seqscan": "off"}
_IS_LARGE = text(f"SELECT reltuples > {WALKED} FROM pg_class WHERE oid = 'products'::regclass")


@dataclass(frozen=True)
class Found:
    """The rows of a page, and how many match: at least `number` where it is not `exact`."""

    number: int
    page: pagination.Rows
    exact: bool


def found(
    session: Session,
    filtered: Select[Any],
    order: Order,
    query: dict[str, Any],
    exact_up_to: int,
    near: Found | None = None,
) -> Found:
    """Return a page of what `filtered` selects, and how many match, exactly up to `exact_up_to`.

    Where there are more, the page is looked for on the walk first, if that is not `near`, and else all that match are
    sorted.
    """
    counted = _counted(session, filtered, order, query, exact_up_to)
    if counted.exact:
        return counted
    near = near or _near(session, filtered, order, query)
    page = near.page if near.page.is_full else _sorted(session, filtered, order, query)
    return Found(counted.number, page, exact=False)


def glimpsed(session: Session, filtered: Select[Any], order: Order, query: dict[str, Any], exact_up_to: int) -> Found:
    """Return the same page, of a large catalog without counting where a short walk already has a pageful.

    Counting is what costs: the text index gives a million matches before the first is looked at.
    """
    near = _near(session, filtered, order, query) if session.scalar(_IS_LARGE) else None
    if near and near.page.is_full:
        return near
    return found(session, filtered, order, query, exact_up_to, near)


def keep_to_the_text_index(connection: Connection) -> None:
    """Have the transaction find words by their index, which is right wherever all that match are wanted."""
    _set(connection, _INDEX_ONLY)


def _counted(session: Session, filtered: Select[Any], order: Order, query: dict[str, Any], most: int) -> Found:
    """Ask the text index for all that match, counted to one more than `most`; of more than that the rows are any."""
    with _planned(session, _INDEX_ONLY):
        number, ids = _places(session, _keyed(filtered, order).limit(most + 1), order, query)
    return Found(number, _rows(session, order, ids, query), exact=number <= most)


def _near(session: Session, filtered: Select[Any], order: Order, query: dict[str, Any]) -> Found:
    """Walk along the order for a few thousand products, until the page is full."""
    offset = 0 if "cursor" in query else query.get("offset", 0)
    walk = select(Product, search_document(), order.key.label("sort_key")).where(order.after(order.keys, query))
    walked = walk.order_by(*order.directed(order.keys)).limit(WALKED).subquery("walked")
    keys = order.directed(order.only(walked.c.sort_key, walked.c.id))
    matches: Any = ClauseAdapter(walked).traverse(filtered.whereclause)
    near = select(aliased(Product, walked), walked.c.sort_key).where(matches).order_by(*keys)
    with _planned(session, _WALK_ONLY):
        size = pagination.text_bytes(walked.c.description)
        page = pagination.fetch_cut(session, near.offset(offset), size, **_page(order, query))
    return Found(len(page.rows), page, exact=False)


def _sorted(session: Session, filtered: Select[Any], order: Order, query: dict[str, Any]) -> pagination.Rows:
    with _planned(session, _INDEX_ONLY):
        return paged(session, filtered, order, query)


def _keyed(filtered: Select[Any], order: Order) -> Any:
    return filtered.with_only_columns(Product.id, order.key.label("sort_key"))


def _places(session: Session, matching: Any, order: Order, query: dict[str, Any]) -> tuple[int, list[Any]]:
    """Return how many there are, and the ids of a page: in one statement, since each match is a block to be read."""
    some = matching.cte("matching")
    keys = order.only(some.c.sort_key, some.c.id)
    chosen = order.placed(select(some), keys, query).limit(query["limit"] + 1).subquery("page")
    count: Subquery = select(func.count().label("number")).select_from(some).subquery("counted")
    both: Any = select(count.c.number, chosen.c.id)
    ordered = order.directed(order.only(chosen.c.sort_key, chosen.c.id))
    rows = session.execute(both.select_from(count.outerjoin(chosen, true())).order_by(*ordered)).all()
    return rows[0].number, [row.id for row in rows if row.id is not None]


def _rows(session: Session, order: Order, ids: list[Any], query: dict[str, Any]) -> pagination.Rows:
    """Return the products with these ids, without those that were deleted meanwhile."""
    if not ids:
        return pagination.NONE
    statement: Any = _with_key(select(Product), order).where(Product.id.in_(ids))
    return fetch(session, statement.order_by(*order.directed(order.keys)), order, query)


def paged(session: Session, filtered: Select[Any], order: Order, query: dict[str, Any]) -> pagination.Rows:
    """Return the rows of a page, each a product with its `sort_key`. Raises ValidationFailed, PageTooLarge."""
    return fetch(session, order.placed(_with_key(filtered, order), order.keys, query), order, query)


def _with_key(filtered: Select[Any], order: Order) -> Select[Any]:
    return filtered.add_columns(order.key.label("sort_key"))


def fetch(session: Session, statement: Select[Any], order: Order, query: dict[str, Any]) -> pagination.Rows:
    """Return as many rows of a statement of products and their `sort_key` as a page has."""
    return pagination.fetch(session, statement, [Product.description], **_page(order, query))


def _page(order: Order, query: dict[str, Any]) -> dict[str, Any]:
    return {
        "order": lambda columns: order.directed(order.only(columns.sort_key, columns.id)),
        "limit": query["limit"],
        "may_cut": not pagination.is_by_offset(query),
        "extra": ["sort_key"],
    }


@contextmanager
def _planned(session: Session, settings: dict[str, str]) -> Iterator[None]:
    """Keep the planner to one of the two ways within the block."""
    _set(session, settings)
    yield
    _set(session, dict.fromkeys(settings, "on"))


def _set(database: Connection | Session, settings: dict[str, str]) -> None:
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    database.execute(text(f"SELECT {calls}"))  # nosec B608  # our own names
