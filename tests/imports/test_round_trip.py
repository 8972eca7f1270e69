"""Promise: what an export writes, the importer reads back, and nothing has changed."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.extensions import db
from catalog.products import service as products
from tests.imports.conftest import counts
from tests.profiles import examples

RISKY = (
    "=1+1",
    "+1",
    "-1",
    "@a",
    "\tx",
    "\rx",
    "'=1",
    "''=1",
    "'",
    "''",
    "'x",
    "'\t",
    "=",
    "\n=",
    " =1",
    "'\r\n",
    "\uff1d1",
    "'\uff20",
)
ODD = (
    '"',
    '""',
    ",",
    ";",
    "a\nb",
    "a\r\nb",
    "\\",
    "\\N",
    "\\.",
    "\x1f",
    "\x1f'=",
    "\u2028",
    "é",
    "\ufeff",
    "NULL",
    "'\x1f=",
)

words = st.builds(
    lambda first, second: first + second,
    st.sampled_from([*RISKY, *ODD, ""]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
texts = st.none() | words
prices = st.none() | st.decimals("0.01", "9999999999.99", places=2)
rates = st.none() | st.decimals(0, 5, places=2)
numbers = st.none() | st.integers(0, 2**31 - 1)
product = st.fixed_dictionaries(
    {
        "sku": words.map(str.strip).filter(lambda sku: 0 < len(sku) <= 100),
        "name": words.filter(lambda name: name.strip()),
        "description": texts,
        "active": st.booleans(),
        "price": prices,
        "stock_quantity": st.integers(0, 2**31 - 1),
        "category": texts,
        "image": st.sampled_from([None, "https://a/b?c=d'e,f"]),
        "rating_rate": rates,
        "rating_count": numbers,
    }
)
catalogs = st.lists(product, min_size=1, max_size=8, unique_by=lambda one: one["sku"].lower().upper())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(catalog=catalogs)
@example([{"sku": "=1", "name": "\t'=1", "description": "", "category": ""}])
def test_what_is_exported_is_imported_as_unchanged_and_makes_the_same_products_anew(importer, form, catalog):
    empty()
    for fields in catalog:
        products.create(fields)
    before = importer.products()
    exported = export(importer.client, form)
    assert counts(importer.run(exported, f"products.{form}")) == {"unchanged": len(catalog)}
    assert counts(importer.run(exported, f"products.{form}", empty="clear")) == cleared(before)
    empty()
    assert counts(importer.run(exported, f"products.{form}")) == {"created": len(catalog)}
    assert without_emptiness(importer.products()) == without_emptiness(before)


def empty() -> None:
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM products"))


def export(client, form: str, **query: str) -> bytes:
    with client.get("/api/v1/products/export", query_string={"format": form, **query}) as answer:
        assert answer.status_code == 200, answer.json
        return answer.data


def cleared(rows: list[dict]) -> dict[str, int]:
    """Return what importing with `empty=clear` does to texts that are empty: a file cannot tell them from none."""
    updated = sum("" in (row["description"], row["category"]) for row in rows)
    found = {"updated": updated, "unchanged": len(rows) - updated}
    return {name: number for name, number in found.items() if number}


def without_emptiness(rows: list[dict]) -> list[dict]:
    made_anew = ("number", "version")
    return [
        {name: None if value == "" else value for name, value in row.items() if name not in made_anew} for row in rows
    ]


def test_json_lines_are_what_the_api_answers(importer):
    importer.client.post(
        "/api/v1/products", json={"sku": "a", "name": 'q"\\', "price": 39.9, "rating": {"rate": 4.5, "count": None}}
    )
    found = importer.client.get("/api/v1/products/by-sku/a").json
    (line,) = export(importer.client, "jsonl").decode().splitlines()
    exported = json.loads(line)
    assert list(exported) == [
        *("sku", "name", "description", "active", "price", "stock_quantity", "category", "image", "rating")
    ]
    assert exported == {name: found[name] for name in exported}


def test_the_longest_description_that_the_api_takes_comes_back(importer):
    for sign in ('"', "x", "é"):
        size = 999_000 // len(json.dumps(sign, ensure_ascii=False).encode()[1:-1])
        body = json.dumps({"sku": sign, "name": "Long", "description": sign * size}, ensure_ascii=False).encode()
        answer = importer.client.post("/api/v1/products", data=body, content_type="application/json")
        assert answer.status_code == 201, answer.json
    for form in ("csv", "jsonl"):
        assert counts(importer.run(export(importer.client, form), f"products.{form}")) == {"unchanged": 3}
