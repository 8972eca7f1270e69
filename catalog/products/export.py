"""All products that a filter lets through, as CSV or JSON Lines that our importer reads back unchanged.

PostgreSQL writes the lines itself (COPY), in one statement, so as of one moment. In CSV a cell that a spreadsheet
would take for a formula gets an apostrophe before it, and so does one that looks as if it had one already; the
importer takes one off again (`formula_escaping.py`). Texts are quoted, so that no other delimiter splits them.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine, literal_column

from catalog import replica, streams
from catalog.formula_escaping import FORMULA_STARTS
from catalog.products import listing, searching
from catalog.products.models import Product

MIMETYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}

_FORMULA_STARTS = ", ".join(str(ord(sign)) for sign in FORMULA_STARTS)
_TEXTS = ("sku", "name", "description", "category")
_COLUMNS = (
    *("sku", "name", "description", "active", "price", "stock_quantity"),
    *("category", "image", "rating_rate", "rating_count"),
)
_RATING = """
    CASE WHEN num_nonnulls(rating_rate, rating_count) > 0
    THEN json_build_object('rate', rating_rate, 'count', rating_count) END"""
_FORMS = {
    "csv": f"COPY ({{rows}}) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE ({', '.join((*_TEXTS, 'image'))}))",
    # As CSV whose quote and delimiter JSON never holds: COPY's own text form would double the backslashes.
    "jsonl": "COPY (SELECT row_to_json(r) FROM ({rows}) r) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')",
}


class Export:
    """The bytes of an export as they come; it holds a connection until `close()`."""

    def __init__(self, pieces: streams.CopyOut, form: str):
        self.mimetype, self.filename = MIMETYPES[form], f"products.{form}"
        self._pieces = pieces
        try:
            first = next(pieces, b"")  # what can be known to go wrong is raised before anything is answered
        except Exception:
            pieces.close()
            raise
        self._rest = chain([first] if first else [], pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self._rest

    def close(self) -> None:
        """Let go of the connection, also in the middle."""
        self._pieces.close()


def start(query: dict[str, Any]) -> Export:
    """Begin the export that a loaded ProductExportSchema asks for. Raises Unavailable where too many are running."""
    return replica.first(lambda engine: _start(engine, query))


def _start(engine: Engine, query: dict[str, Any]) -> Export:
    form = query.get("format", "csv")
    release = streams.take_slot()
    try:
        connection = engine.connect()
    except Exception:
        release()
        raise
    return Export(_copying(connection, query, form, release), form)


def _copying(connection: Connection, query: dict[str, Any], form: str, release: streams.Release) -> streams.CopyOut:
    try:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # it may take as long as the client does
        if "search" in query:
            searching.keep_to_the_text_index(connection)
        return streams.CopyOut(connection, _sql(connection, query, form), release)
    except Exception:
        connection.close()
        release()
        raise


def _sql(connection: Connection, query: dict[str, Any], form: str) -> bytes:
    rows = listing.everything(query).with_only_columns(*_columns(form)).select_from(Product)
    compiled = rows.compile(connection)
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:  # COPY takes no parameters, so they are quoted by psycopg2
        filled: bytes = cursor.mogrify(compiled.string, compiled.params or None)
    before, after = _FORMS[form].split("{rows}")
    return before.encode() + filled + after.encode()


def _columns(form: str) -> list[Any]:
    if form == "jsonl":
        plain: list[Any] = [literal_column(name) for name in _COLUMNS[:-2]]
        return [*plain, literal_column(_RATING).label("rating")]
    return [literal_column(_in_csv(name)).label(name) for name in _COLUMNS]


def _in_csv(name: str) -> str:
    if name == "active":
        return "active::text"
    if name in _TEXTS:
        return f"CASE WHEN ascii(ltrim({name}, '''')) IN ({_FORMULA_STARTS}) THEN '''' || {name} ELSE {name} END"
    return name
