"""Pages of lists: what their responses have in common, and rows that are bounded in bytes before they are loaded.

A page has at most PAGE_MAX_KB of rows, and at least one. PostgreSQL cuts it, so that no process holds more. A page
by cursor, or the first of a list, ends early, and its cursor continues after its last row. A page by offset is
refused instead: a client that adds its limit to the offset would skip rows.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import current_app, has_request_context, request
from marshmallow import fields, validate
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    TypeDecorator,
    bindparam,
    case,
    cast,
    func,
    inspect,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased, defer
from sqlalchemy.orm.attributes import set_committed_value

from catalog.errors import TooLarge

ROW_BYTES = 1_000  # what a row is counted for beside its long values
_BY_OFFSET = "A page with it is never cut: 413 where its rows have too many bytes. Counts for nothing with a `cursor`"
_SPENT = "catalog.listed_bytes"
_CUT = ("found", "bytes_so_far")


class OffsetPageSchema(ma.Schema):
    """A page of a list that is counted; what inherits it says what `items` are."""

    items = fields.List(fields.Raw(), required=True)  # stands here to come first
    total = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    offset = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)


class CursorPageSchema(ma.Schema):
    """A page of a list that is not counted; what inherits it says what `items` are."""

    items = fields.List(fields.Raw(), required=True)
    limit = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


class PageTooLarge(TooLarge):
    """The rows of a page that must not end early have too many bytes; `rows` of them fit."""

    code = "page_too_large"

    def __init__(self, rows: int):
        super().__init__(
            f"The rows of this page have more than {current_app.config['PAGE_MAX_KB']:,} KB (PAGE_MAX_KB)."
            f" Ask for {rows} rows, or page by cursor where the list has one."
        )
        self.rows = rows


@dataclass(frozen=True)
class Rows:
    """The rows of a page; `has_more` tells whether others follow, `is_full` whether that many were asked for."""

    rows: list[Any]
    has_more: bool
    is_full: bool


NONE = Rows([], has_more=False, is_full=False)


def offset_page(items: Sequence[Any], total: int, limit: int, offset: int) -> dict[str, Any]:
    """Return a page for an OffsetPageSchema."""
    return {"items": items, "total": total, "limit": limit, "offset": offset, "has_more": offset + limit < total}


def shrunk(load: Callable[..., dict[str, Any]], limit: int, offset: int) -> dict[str, Any]:
    """Return a page by offset with as many rows as fit, which is then its limit: for people, who follow its links."""
    try:
        return load(limit=limit, offset=offset)
    except PageTooLarge as error:
        return load(limit=error.rows, offset=offset)


def offset_field() -> fields.Integer:
    """Return the field of a query that also takes a cursor: without either, the page begins the list."""
    return fields.Integer(validate=validate.Range(0, 1_000_000), metadata={"default": 0, "description": _BY_OFFSET})


def is_by_offset(query: dict[str, Any]) -> bool:
    """Tell whether a loaded query asks for a page by its place in the list."""
    return "offset" in query and "cursor" not in query


def text_bytes(*columns: Any) -> ColumnElement[int]:
    """Return the SQL for the bytes of texts, which PostgreSQL knows without reading them."""
    return sum((func.coalesce(func.octet_length(column), 0) for column in columns), start=cast(0, Integer))


def json_bytes(*columns: Any) -> ColumnElement[int]:
    """Return the SQL for the bytes of JSON; only what is compressed has to be unpacked for it."""
    return sum((_json_bytes(column) for column in columns), start=cast(0, Integer))


def _json_bytes(column: Any) -> ColumnElement[int]:
    is_compressed = func.pg_column_compression(column).is_not(None)
    size = case((is_compressed, func.octet_length(cast(column, Text))), else_=func.pg_column_size(column))
    return func.coalesce(size, 0)


def fetch(
    session: Session,
    statement: Select[Any],
    long: Sequence[Any],
    order: Callable[[Any], Sequence[ColumnElement[Any]]],
    limit: int,
    *,
    may_cut: bool = True,
    extra: Sequence[str] = (),
) -> Rows:
    """Return up to `limit` rows of an ordered statement, as many as have PAGE_MAX_KB.

    The statement selects a model, and columns that a row has too where `extra` names them. `long` are the model's
    attributes that may be long, and `order` makes the statement's order of columns. Lists of one request share the
    bytes. Raises PageTooLarge where the page must not be cut.
    """
    options, columns = _short_values(tuple(long))
    short = statement.options(*options).add_columns(*columns).limit(limit + 1)
    share = max_bytes() // (limit + 1)
    found = session.execute(short, {"share": share}, execution_options={"populate_existing": True}).all()
    if any(row.row_bytes > share for row in found):
        return fetch_cut(session, statement, _bytes(long), order, limit, may_cut=may_cut, extra=extra)
    rows = found[:limit]
    for row in rows:
        for number, attribute in enumerate(long):
            set_committed_value(row[0], attribute.key, getattr(row, f"long_{number}"))
    _spend(sum(row.row_bytes for row in rows))
    return Rows(list(rows), has_more=len(found) > limit, is_full=len(found) > limit)


@functools.cache
def _short_values(long: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """Return what makes a statement load long values only where a row has at most `:share` bytes."""
    size = _bytes(long) + ROW_BYTES
    fits = size <= bindparam("share", type_=BigInteger)
    values = [case((fits, attribute)).label(f"long_{number}") for number, attribute in enumerate(long)]
    return [defer(attribute) for attribute in long], [size.label("row_bytes"), *values]


def _bytes(long: Sequence[Any]) -> ColumnElement[int]:
    return json_bytes(*(each for each in long if _is_json(each))) + text_bytes(
        *(each for each in long if not _is_json(each))
    )


def _is_json(attribute: Any) -> bool:
    kind = attribute.type
    return isinstance(kind.impl_instance if isinstance(kind, TypeDecorator) else kind, JSON)


def fetch_cut(
    session: Session,
    statement: Select[Any],
    size: ColumnElement[int],
    order: Callable[[Any], Sequence[ColumnElement[Any]]],
    limit: int,
    *,
    may_cut: bool = True,
    extra: Sequence[str] = (),
    options: Callable[[Any, Any], Sequence[Any]] = lambda entity, columns: (),
) -> Rows:
    """Return the same, cut by PostgreSQL, in one statement that takes longer to make.

    `size` are the bytes of a row's long values; `options` makes what is loaded with the model of columns.
    """
    model = statement.column_descriptions[0]["entity"]
    page = statement.add_columns((size + ROW_BYTES).label("row_bytes")).limit(limit + 1).subquery("page")
    keys = order(page.c)
    bytes_so_far = func.sum(page.c.row_bytes).over(order_by=keys, rows=(None, 0)).label("bytes_so_far")
    place = func.row_number().over(order_by=keys).label("place")
    placed = select(page, bytes_so_far, place, func.count().over().label("found")).subquery("placed")
    fits = or_(placed.c.bytes_so_far <= max_bytes(), placed.c.place == 1)
    entity, more = aliased(inspect(model).mapper, placed), [placed.c[name] for name in (*_CUT, *extra)]
    chosen = select(entity, *more).where(fits, placed.c.place <= limit).order_by(*order(placed.c))
    chosen = chosen.options(*options(entity, placed.c)).execution_options(populate_existing=True)
    return _rows(list(session.execute(chosen)), limit, may_cut)


def _rows(rows: list[Any], limit: int, may_cut: bool) -> Rows:
    if not rows:
        return NONE
    last = rows[-1]
    if len(rows) < min(last.found, limit) and not may_cut:
        raise PageTooLarge(len(rows))
    _spend(int(last.bytes_so_far))
    return Rows(rows, has_more=last.found > len(rows), is_full=last.found > limit)


def max_bytes() -> int:
    """Return the bytes that the rows of a page may have, less those of other lists of the same request."""
    most: int = current_app.config["PAGE_MAX_KB"] * 1_000
    return most - request.environ.get(_SPENT, 0) if has_request_context() else most


def _spend(number: int) -> None:
    if has_request_context():
        request.environ[_SPENT] = request.environ.get(_SPENT, 0) + number
