"""Products over GraphQL: the shapes of the contract, over the services of the REST API."""

import pytest

from tests.factories import make_product

CREATE = """
mutation Create($title: String!, $price: Float!, $sku: String, $rate: Float, $count: Int) {
  createProductSync(title: $title, price: $price, sku: $sku, ratingRate: $rate, ratingCount: $count) {
    product { id uuid sku title price rating active stockQuantity version createdAt }
  }
}"""
UPDATE = """
mutation Update($id: ID!, $title: String, $price: Float, $rate: Float, $version: Int, $category: String) {
  updateProductSync(
    productId: $id, title: $title, price: $price, ratingRate: $rate, version: $version, category: $category
  ) { product { title price rating category version } }
}"""
PRODUCT = "query Product($id: ID!) { product(productId: $id) { id uuid title price } }"


def code(body):
    return body["errors"][0]["extensions"]["code"]


def test_a_created_product_is_the_one_that_rest_gives(ask, client):
    made = ask(CREATE, title="Desk lamp", price=39.9, rate=4.5, count=12)["data"]["createProductSync"]["product"]
    rest = client.get(f"/api/v1/products/{made['uuid']}").json
    assert (made["id"], made["title"], made["price"]) == (str(rest["number"]), "Desk lamp", 39.9)
    assert made["sku"] == rest["sku"] == f"SKU-{rest['number']}"
    assert made["rating"] == rest["rating"] == {"rate": 4.5, "count": 12}
    assert made["createdAt"] == rest["created_at"]


def test_a_product_is_found_by_its_number_and_by_its_uuid(ask, context):
    product = make_product(name="Lamp", price=5)
    by_number = ask(PRODUCT, id=str(product.number))["data"]["product"]
    assert by_number == ask(PRODUCT, id=product.number)["data"]["product"]
    assert by_number == ask(PRODUCT, id=str(product.id))["data"]["product"]
    assert by_number == {"id": str(product.number), "uuid": str(product.id), "title": "Lamp", "price": 5.0}


@pytest.mark.parametrize("reference", ["0", "99999999999999999999999", "-1", "x", "", "1e3", "\u0661", "\x00"])
def test_what_is_no_product_is_not_found(ask, reference):
    body = ask(PRODUCT, id=reference)
    assert body["data"] == {"product": None}
    assert code(body) == "not_found"


def test_a_field_error_names_the_argument_that_was_wrong(ask):
    body = ask(CREATE, title=" ", price=1.999, rate=9.0)
    assert code(body) == "validation_error"
    errors = {error["field"]: error["message"] for error in body["errors"][0]["extensions"]["errors"]}
    assert set(errors) == {"title", "price", "ratingRate"}
    assert errors["price"] == "At most 2 decimals."


def test_a_duplicate_sku_is_the_conflict_of_rest(ask, context):
    make_product(sku="LAMP-1")
    body = ask(CREATE, title="Lamp", price=1, sku="lamp-1")
    assert code(body) == "conflict"
    assert body["errors"][0]["extensions"]["errors"] == [{"field": "sku", "message": "Is taken.", "code": "duplicate"}]


def test_only_given_fields_change_and_null_clears(ask, context):
    product = make_product(name="Lamp", price=5, category="Light", rating_rate=4, rating_count=3)
    changed = ask(UPDATE, id=str(product.number), category=None, rate=2.5)["data"]["updateProductSync"]["product"]
    assert changed == {
        "title": "Lamp",
        "price": 5.0,
        "category": None,
        "rating": {"rate": 2.5, "count": 3},
        "version": 2,
    }
    assert code(ask(UPDATE, id=str(product.number), title=None)) == "validation_error"


def test_a_change_to_an_old_version_is_refused(ask, context):
    product = make_product()
    assert "errors" not in ask(UPDATE, id=str(product.id), title="New", version=1)
    assert code(ask(UPDATE, id=str(product.id), title="Newer", version=1)) == "precondition_failed"
    assert code(ask(UPDATE, id=str(product.id), title="Newer", version=0)) == "precondition_failed"


def test_a_deleted_product_is_gone(ask, context):
    number = make_product().number
    delete = "mutation($id: ID!) { deleteProduct(productId: $id) { success message } }"
    assert ask(delete, id=number)["data"]["deleteProduct"]["success"] is True
    assert code(ask(delete, id=number)) == "not_found"


def test_all_products_come_in_the_order_of_their_numbers_searched_and_cut(ask, context):
    for name, category in (("Lamp", "Light"), ("Chair", "Seat"), ("Candle", "Light")):
        make_product(name=name, category=category)
    titles = lambda body: [each["title"] for each in body["data"]["allProducts"]]  # noqa: E731
    assert titles(ask("{ allProducts { title } }")) == ["Lamp", "Chair", "Candle"]
    assert titles(ask('{ allProducts(search: "light") { title } }')) == ["Lamp", "Candle"]
    assert titles(ask('{ allProducts(search: "", first: 1, skip: 1) { title } }')) == ["Chair"]
    assert code(ask("{ allProducts(first: 101) { title } }")) == "validation_error"


def test_the_connection_is_walked_by_the_cursor_of_any_edge(ask, context):
    names = [make_product(name=f"Lamp {number}").name for number in range(5)]
    query = """query($after: String, $first: Int) { products(first: $first, after: $after, sort: "name") {
        totalCount edges { cursor node { title } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    first = ask(query, first=3)["data"]["products"]
    assert first["totalCount"] == 5
    assert first["pageInfo"]["hasNextPage"] is True
    assert first["pageInfo"]["hasPreviousPage"] is False
    assert first["pageInfo"]["endCursor"] == first["edges"][2]["cursor"]
    rest = ask(query, first=3, after=first["edges"][1]["cursor"])["data"]["products"]
    assert [edge["node"]["title"] for edge in rest["edges"]] == names[2:]
    assert rest["pageInfo"]["hasNextPage"] is False
    assert rest["pageInfo"]["hasPreviousPage"] is True
    assert code(ask(query, first=3, after="forged")) == "validation_error"


def test_one_failed_field_leaves_the_others(ask, context):
    product = make_product(name="Lamp")
    body = ask(
        f'{{ there: product(productId: {product.number}) {{ title }} gone: product(productId: "x") {{ title }} }}'
    )
    assert body["data"] == {"there": {"title": "Lamp"}, "gone": None}
    assert body["errors"][0]["path"] == ["gone"]
