"""The fast check, the schema, the API and the database agree on every row."""

import io
from decimal import Decimal

import marshmallow as ma
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.imports import schemas
from catalog.imports.check import SEPARATOR, Checker, RowRejected
from catalog.imports.reader import FIELDS, Header
from catalog.products.schemas import ProductCreateSchema
from tests.profiles import examples

HEADER = Header(",", list(FIELDS), {name: place for place, name in enumerate(FIELDS)}, [])
CHECKER = Checker(HEADER)
VALID = {"sku": "A-1", "name": "Lamp"}

FULL_WIDTH, LONG_S = "\uff11\uff12", "\u017f"

ODD = (
    "",
    " ",
    "  x ",
    "\t",
    "\x1f",
    "\0",
    "\\",
    "\\N",
    "\\.",
    "a\nb",
    "\u00a0",
    "\u2028",
    "é",
    FULL_WIDTH,
    LONG_S,
    "İ",
)
LONG = tuple("x" * length for length in (100, 101, 255, 256))
NUMBERS = "0 0.00 -0 +1 1. .5 1.5 1.50 1.505 007 9999999999.99 10000000000 1e3 1E400 NaN Infinity 1_000 1,5 5.0"
MORE_NUMBERS = "2147483647 2147483648 4.99 5.01 0.001 -1"
ADDRESSES = (
    "http://a https://a.b/c?d#e HTTP://A ftp://a javascript:alert(1) http:// https://é/ https://.a http://? http://a\\b"
)

odd = st.sampled_from([*ODD, *LONG])
words = odd | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.sampled_from(["", FULL_WIDTH, " 5 ", *NUMBERS.split(), *MORE_NUMBERS.split()]) | st.decimals(
    -10, 10**11, places=3
).map(str)
booleans = st.sampled_from([*sorted(schemas.TRUE | schemas.FALSE), "TRUE", "No", "ye" + LONG_S, "maybe", "2", "", "on"])
images = st.sampled_from(
    ["", "http:// a", "http://a\n", *ADDRESSES.split(), *("https://a/" + "x" * length for length in (490, 491))]
)
rows = st.fixed_dictionaries(
    {
        "sku": words,
        "name": words,
        "description": words,
        "active": booleans | words,
        "price": numbers | words,
        "stock_quantity": numbers,
        "category": words,
        "image": images | words,
        "rating_rate": numbers,
        "rating_count": numbers | words,
    }
)
# Rows that go wrong in one cell at most say more than rows that go wrong everywhere.
nearly_valid = st.builds(
    lambda row, names: {**dict.fromkeys(FIELDS, ""), **VALID, **{name: row[name] for name in names}},
    rows,
    st.lists(st.sampled_from(FIELDS), max_size=3),
)


def verdict(row: dict[str, str]) -> dict | None:
    """Return the values that the schema gives a row, or None."""
    try:
        return schemas.RowSchema().load(row)
    except ma.ValidationError:
        return None


def unescaped(line: str) -> dict[str, str]:
    """Read a line for COPY the way PostgreSQL does."""
    return dict(zip(FIELDS, _split_escaped(line), strict=True))


def _split_escaped(line: str) -> list[str]:
    cells, cell, characters = [], "", iter(line)
    for character in characters:
        if character == SEPARATOR:
            cells.append(cell)
            cell = ""
        elif character == "\\":
            following = next(characters)
            cell += {"n": "\n", "r": "\r"}.get(following, following)
        else:
            cell += character
    return [*cells, cell]


def typed(name: str, cell: str):
    """Return the value that PostgreSQL makes of a cell."""
    if cell == "":
        return None
    if name == "active":
        return cell.lower() in schemas.TRUE
    if name in ("price", "rating_rate"):
        return Decimal(cell)
    return int(cell) if name in ("stock_quantity", "rating_count") else cell


@settings(max_examples=examples(1_500))
@given(row=rows | nearly_valid)
@example({**dict.fromkeys(FIELDS, ""), **VALID, "sku": "x\u00a0"})
@example({**dict.fromkeys(FIELDS, ""), **VALID, "sku": "\u2028x"})
def test_what_the_fast_check_accepts_the_schema_accepts_with_equal_values(row):
    line = CHECKER.fast(list(row.values()))
    if line is None:
        return
    expected = verdict(row)
    assert expected is not None
    found = {name: typed(name, cell) for name, cell in unescaped(line).items()}
    assert found == {name: expected.get(name) for name in FIELDS}


@settings(max_examples=examples(1_500))
@given(row=nearly_valid)
def test_the_slow_check_writes_what_the_schema_loads(row):
    expected = verdict(row)
    try:
        line = CHECKER.slow(list(row.values()))
    except RowRejected:
        assert expected is None
    else:
        found = {name: typed(name, cell) for name, cell in unescaped(line).items()}
        assert found == {name: expected.get(name) for name in FIELDS}


@settings(max_examples=examples(1_000))
@given(row=nearly_valid)
def test_the_schema_accepts_the_values_that_the_api_accepts(row):
    """What an import may write, the API may write too: the rules are the same."""
    values = verdict(row)
    if values is None:
        return
    rate, count = values.pop("rating_rate", None), values.pop("rating_count", None)
    ProductCreateSchema().load({**values, "rating": {"rate": rate, "count": count}})


BAD = {
    "sku": [" \t ", "x" * 101, "a\0b"],
    "name": ["", "  ", "x" * 256],
    "description": ["a\0b"],
    "active": ["maybe", "ye" + LONG_S],
    "price": [*["0", "-1", "-0", "10000000000", "1.234", "NaN", "Infinity", "1e400", "1_000", "1,5"], FULL_WIDTH],
    "stock_quantity": ["-3", "2.5", "2147483648", "9" * 40],
    "category": ["x" * 101],
    "image": ["javascript:alert(1)", "https://a/" + "x" * 491],
    "rating_rate": ["7.5", "4.001", "-1"],
}


@pytest.mark.parametrize(("field", "cell"), [(field, cell) for field, cells in BAD.items() for cell in cells])
def test_a_bad_cell_is_refused_by_both_and_named(field, cell):
    row = {**dict.fromkeys(FIELDS, ""), **VALID, field: cell}
    assert CHECKER.fast(list(row.values())) is None
    with pytest.raises(RowRejected) as caught:
        CHECKER.slow(list(row.values()))
    assert caught.value.field == field


@pytest.mark.parametrize("count", [0, 1, 9, 11])
def test_a_ragged_row_is_refused_with_both_numbers(count):
    cells = ["x"] * count
    assert CHECKER.fast(cells) is None
    with pytest.raises(RowRejected, match=f"Has {count} fields, the header has 10") as caught:
        CHECKER.slow(cells)
    assert caught.value.code == "ragged"


@settings(max_examples=examples(40))
@given(rows=st.lists(nearly_valid, min_size=1, max_size=40))
def test_postgresql_takes_every_row_that_is_accepted(app, rows):
    lines = [CHECKER.fast(list(row.values())) for row in rows]
    lines += [CHECKER.slow(list(row.values())) for row in rows if verdict(row) is not None]
    accepted = [line for line in lines if line is not None]
    from catalog.extensions import db

    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE taken (LIKE products INCLUDING CONSTRAINTS) ON COMMIT DROP"))
        for name in ("id", "number", "version", "created_at", "updated_at", "active", "stock_quantity"):
            connection.execute(text(f"ALTER TABLE taken ALTER COLUMN {name} DROP NOT NULL"))
        source = io.StringIO("".join(f"{line}\n" for line in accepted))
        connection.connection.cursor().copy_expert(
            f"COPY taken ({', '.join(FIELDS)}) FROM STDIN (DELIMITER E'\\x1f', NULL '')", source
        )
        assert connection.scalar(text("SELECT count(*) FROM taken")) == len(accepted)
        connection.rollback()


def test_every_encoding_that_is_offered_is_known_by_that_name():
    schema = schemas.UploadOptionsSchema()
    for name in schemas.ENCODINGS:
        assert schema.load({"encoding": name})["encoding"] == name
    assert schema.load({"encoding": "Latin-1"})["encoding"] == "iso8859-1"
