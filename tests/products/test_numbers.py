"""Numbers of products have 8 bytes everywhere."""

import base64
import csv
import io
import json
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from catalog.errors import NotFound
from catalog.extensions import db
from catalog.products import service
from catalog.products.models import MAX_NUMBER
from tests.imports.conftest import Importer, counts

PRODUCTS = "/api/v1/products"
WIDE = 2**31 + 5
SET = text("SELECT setval('products_number_seq', :number)")


@pytest.fixture
def wide(committed) -> Iterator[Importer]:
    """An importer, with the next number beyond 4 bytes."""
    with committed.app_context():
        db.session.execute(SET, {"number": WIDE - 1})
        db.session.commit()
        yield Importer(committed.test_client())


def numbers(client, **query) -> list[int]:
    return [each["number"] for each in client.get(PRODUCTS, query_string={"sort": "number", **query}).json["items"]]


def graphql(client, query: str) -> dict:
    answer = client.post("/graphql", json={"query": query}).json
    assert "errors" not in answer, answer
    return answer["data"]


def test_a_number_beyond_4_bytes_is_created_listed_and_found_by_rest(wide):
    made = wide.client.post(PRODUCTS, json={"name": "Wide lamp"}).json
    assert (made["number"], made["sku"]) == (WIDE, f"SKU-{WIDE}")
    wide.client.put(f"{PRODUCTS}/by-sku/PUT", json={"name": "Wide chair"})
    wide.client.post(f"{PRODUCTS}/bulk", json={"items": [{"sku": "BULK", "name": "Wide desk"}]})
    assert numbers(wide.client) == [WIDE, WIDE + 1, WIDE + 2]
    assert numbers(wide.client, search="wide lam") == [WIDE]
    assert service.get_by_reference(str(WIDE + 1)).sku == "PUT"


def test_a_list_goes_on_after_a_number_beyond_4_bytes(wide):
    for _ in range(3):
        wide.client.post(PRODUCTS, json={"name": "Lamp"})
    for sort, expected in (("number", [WIDE, WIDE + 1, WIDE + 2]), ("-number", [WIDE + 2, WIDE + 1, WIDE])):
        first = wide.client.get(PRODUCTS, query_string={"sort": sort, "limit": 1}).json
        rest = wide.client.get(PRODUCTS, query_string={"sort": sort, "limit": 2, "cursor": first["next_cursor"]}).json
        assert [each["number"] for each in first["items"] + rest["items"]] == expected


def test_a_number_beyond_4_bytes_is_imported_and_exported(wide):
    done = wide.run("sku,name,price\nA,Lamp,5\nB,Chair,6\n")
    assert counts(done)["created"] == 2
    exported = wide.client.get(f"{PRODUCTS}/export", query_string={"sort": "-number"}).text
    assert [row[0] for row in csv.reader(io.StringIO(exported))] == ["sku", "B", "A"]
    assert counts(wide.run(exported))["unchanged"] == 2
    assert counts(wide.run("sku,name\nA,Lamp\nC,Desk\n", mode="create_only"))["created"] == 1
    assert numbers(wide.client) == [WIDE, WIDE + 1, WIDE + 2]


def test_a_number_beyond_4_bytes_is_an_id_in_graphql(wide):
    graphql(wide.client, 'mutation {createProductSync(title: "Lamp", price: 2) {product {id}}}')
    graphql(wide.client, 'mutation {createProductSync(title: "Chair", price: 2) {product {id}}}')
    assert graphql(wide.client, f'{{product(productId: "{WIDE}") {{title}}}}')["product"]["title"] == "Lamp"
    assert [each["id"] for each in graphql(wide.client, "{allProducts {id}}")["allProducts"]] == [
        str(WIDE),
        str(WIDE + 1),
    ]
    first = 'products(first: 1, sort: "number"'
    cursor = graphql(wide.client, f"{{{first}) {{pageInfo {{endCursor}}}}}}")["products"]["pageInfo"]["endCursor"]
    assert graphql(wide.client, f'{{{first}, after: "{cursor}") {{edges {{node {{id}}}}}}}}')["products"]["edges"] == [
        {"node": {"id": str(WIDE + 1)}}
    ]
    changed = f'mutation {{updateProductSync(productId: "{WIDE}", title: "Desk") {{product {{title}}}}}}'
    assert graphql(wide.client, changed)["updateProductSync"]["product"]["title"] == "Desk"


@pytest.mark.parametrize("number", [MAX_NUMBER, MAX_NUMBER + 1, 2**63, 10**19, 10**30])
def test_a_number_that_no_product_has_is_not_found_by_its_index(context, number):
    """A constant that PostgreSQL reads as numeric would turn the column into numeric, row by row."""
    condition = service.refers(str(number)).compile(compile_kwargs={"literal_binds": True})
    plan = " ".join(db.session.scalars(text(f"EXPLAIN SELECT 1 FROM products WHERE {condition}")))
    assert "numeric" not in plan
    with pytest.raises(NotFound):
        service.get_by_reference(str(number))


def test_numbers_end_where_json_numbers_are_exact(context):
    greatest = "SELECT seqmax FROM pg_sequence WHERE seqrelid = 'products_number_seq'::regclass"
    assert db.session.scalar(text(greatest)) == MAX_NUMBER
    assert float(MAX_NUMBER) != float(MAX_NUMBER - 1)


@pytest.mark.parametrize("number", [MAX_NUMBER, -MAX_NUMBER])
def test_a_cursor_at_the_last_number_is_read(client, number):
    cursor = base64.urlsafe_b64encode(json.dumps(["number", str(number), str(uuid.uuid4())]).encode()).decode()
    assert client.get(PRODUCTS, query_string={"sort": "number", "cursor": cursor.rstrip("=")}).status_code == 200
