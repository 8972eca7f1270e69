"""SKUs that are generated, with those ahead of them taken by someone else."""

from sqlalchemy import event

from catalog.errors import Conflict
from catalog.products import service

PRODUCTS = "/api/v1/products"


def create(client, **fields) -> dict:
    answer = client.post(PRODUCTS, json={"name": "honest", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def drawn(statement: str) -> bool:
    return "nextval" in statement and "SELECT max(number)" in statement


def test_skus_that_were_taken_ahead_are_skipped_in_one_statement_and_once(client, savepoint):
    number = create(client)["number"]
    for ahead in range(number + 1, number + 61):
        # Explicit SKUs draw numbers too: those ahead of all that are drawn meanwhile.
        create(client, sku=f"sku-{ahead + 60}")
    statements = []
    engine = savepoint.engine

    def note(*given) -> None:
        statements.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        found = [create(client) for _ in range(3)]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert [each["sku"] for each in found] == [f"SKU-{each['number']}" for each in found]
    assert found[0]["number"] == number + 121
    assert [each["number"] for each in found] == list(range(number + 121, number + 124))
    assert sum(map(drawn, statements)) == 3


def test_graphql_skips_them_too(client):
    number = create(client)["number"]
    for ahead in range(number + 25, number + 50):
        create(client, sku=f"SKU-{ahead}")
    query = 'mutation {createProductSync(title: "x", price: 2) {product {sku id}}}'
    made = client.post("/graphql", json={"query": query}).json["data"]["createProductSync"]["product"]
    assert made["sku"] == f"SKU-{made['id']}" == f"SKU-{number + 50}"


def test_a_sku_that_is_taken_in_between_is_drawn_again(context, monkeypatch):
    insert, taken = service._insert, []

    def raced(product):
        if len(taken) < 5:
            taken.append(product.sku)
            raise Conflict("There is a product with the SKU already.")
        return insert(product)

    monkeypatch.setattr(service, "_insert", raced)
    assert service.create({"name": "honest"}).sku not in taken
    assert len(set(taken)) == 5
