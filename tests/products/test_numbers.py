"""Numbers of products: 8 bytes wide everywhere, and not used up by requests that are refused."""

import base64
import csv
import io
import json
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, text

from catalog.errors import Conflict, NotFound
from catalog.extensions import db
from catalog.products import service
from catalog.products.models import MAX_NUMBER
from tests.imports.conftest import Importer, counts, importer  # noqa: F401  # a fixture

PRODUCTS = "/api/v1/products"
WIDE = 2**31 + 5
SEQUENCE = "products_number_seq"
LAST = text("SELECT last_value FROM products_number_seq")
SET = text("SELECT setval('products_number_seq', :number)")


def last_number() -> int:
    return db.session.scalar(LAST)


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


@pytest.fixture
def unspent(client) -> Iterator[None]:
    """Check that the test uses up no number of products after the two that it begins with."""
    for sku in ("TAKEN", "other"):
        assert client.post(PRODUCTS, json={"name": "Lamp", "sku": sku}).status_code == 201
    with client.application.app_context():
        before = last_number()
        yield
        assert last_number() == before


@pytest.mark.usefixtures("unspent")
class TestNoNumberIsUsedUpBy:
    def test_a_creation_with_a_sku_that_is_taken(self, client):
        for sku in ("TAKEN", "taken", " Taken "):
            answer = client.post(PRODUCTS, json={"name": "Chair", "sku": sku})
            assert (answer.status_code, answer.json["errors"][0]["code"]) == (409, "duplicate")

    def test_the_same_by_graphql(self, client):
        for name, rest in (("createProductSync", "product {id}"), ("createProduct", "success message")):
            query = f'mutation {{{name}(title: "x", price: 2, sku: "taken") {{{rest}}}}}'
            client.post("/graphql", json={"query": query})

    def test_a_put_of_a_sku_that_there_is(self, client):
        assert client.put(f"{PRODUCTS}/by-sku/taken", json={"name": "Chair"}).status_code == 200

    def test_a_change_to_a_sku_that_is_taken(self, client):
        product = client.get(f"{PRODUCTS}/by-sku/other").json
        assert client.patch(f"{PRODUCTS}/{product['id']}", json={"sku": "taken"}).status_code == 409

    def test_bulk_items_that_change_refuse_or_repeat(self, client):
        items = [{"sku": "taken", "name": "Chair"}, {"sku": "taken", "name": "x"}, {"sku": "new"}, {"sku": "OTHER"}]
        answer = client.post(f"{PRODUCTS}/bulk", json={"items": items}).json
        assert [each["result"] for each in answer["results"]] == ["updated", "error", "error", "unchanged"]


@pytest.mark.parametrize("mode", ["upsert", "create_only", "update_only"])
def test_import_rows_that_create_nothing_use_up_no_number(importer, mode):  # noqa: F811  # the fixture
    importer.run("sku,name\nA,Lamp\nB,Chair\n")
    before = last_number()
    assert "created" not in counts(importer.run("sku,name\na,Desk\nB,Shelf\nb,Bed\n", mode=mode))
    assert last_number() == before


def test_a_creation_that_loses_a_race_is_a_conflict_all_the_same(context, monkeypatch):
    service.create({"sku": "TAKEN", "name": "Lamp"})
    monkeypatch.setattr(service, "_number_unless_taken", lambda _: select(func.nextval(SEQUENCE)).scalar_subquery())
    with pytest.raises(Conflict, match="TAKEN"):
        service.create({"sku": "TAKEN", "name": "Chair"})
