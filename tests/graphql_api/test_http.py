"""GraphQL over HTTP: bodies, methods, errors, GraphiQL."""

import json
import re

import pytest
from sqlalchemy.exc import OperationalError

from catalog.products import service
from tests.factories import make_product

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'[{"query": "{ __typename }"}]', "application/json", 400),
        (b'{"query": ', "application/json", 400),
        (b'{"query": 5}', "application/json", 400),
        (b'{"variables": {}}', "application/json", 400),
        (b'{"query": "{ __typename }", "variables": [1]}', "application/json", 400),
        (b'{"query": "{ __typename }", "variables": {"a": 1e400}}', "application/json", 400),
        (b'{"query": "{ __typename }"}', "text/plain", 415),
        (b'{"query": "' + b" " * 1_000_001 + b'"}', "application/json", 413),
        (b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "application/json", 400),
    ],
)
def test_what_is_no_operation_is_a_problem(client, body, kind, status):
    answer = client.post("/graphql", data=body, content_type=kind)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_a_query_may_come_by_get_and_a_mutation_may_not(client, context):
    product = make_product()
    asked = {
        "query": "query($id: ID!) { product(productId: $id) { sku } }",
        "variables": json.dumps({"id": product.number}),
    }
    assert client.get("/graphql", query_string=asked).json == {"data": {"product": {"sku": product.sku}}}
    delete = f"mutation {{ deleteProduct(productId: {product.number}) {{ success }} }}"
    answer = client.get("/graphql", query_string={"query": delete})
    assert (answer.status_code, answer.headers["Allow"], answer.json["code"]) == (405, "POST", "method_not_allowed")
    assert service.get(product.id)
    assert client.get("/graphql").status_code == 400


def test_of_several_operations_the_named_one_runs(ask):
    document = "query A { webhooks { total } } query B { imports { total } }"
    assert set(ask(document, operation="B")["data"]) == {"imports"}
    for name in (None, "C"):
        assert ask(document, operation=name)["errors"][0]["extensions"]["code"] == "bad_request"


def test_a_wrong_variable_is_a_bad_request(ask):
    body = ask("query($n: Int) { allProducts(first: $n) { id } }", n="many")
    assert body["errors"][0]["extensions"] == {"code": "bad_request"}


def test_a_client_that_knows_the_newer_answers_gets_their_status(client):
    headers = {"Accept": "application/graphql-response+json"}
    answer = client.post("/graphql", json={"query": "{ nope }"}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (400, "application/graphql-response+json")
    assert client.post("/graphql", json={"query": "{ __typename }"}, headers=headers).status_code == 200


def test_what_is_unexpected_says_no_more_than_the_request_id(client, monkeypatch):
    monkeypatch.setattr(service, "get_by_reference", lambda _: 1 / 0)
    asked = {"query": "{ product(productId: 1) { id } }"}
    answer = client.post("/graphql", json=asked, headers={"X-Request-ID": "abc"})
    assert answer.json["errors"][0]["extensions"] == {"code": "internal_error", "request_id": "abc"}
    assert "zero" not in answer.text


def test_a_database_that_does_not_answer_is_told_as_in_rest(ask, monkeypatch):
    def down(_):
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr(service, "get_by_reference", down)
    body = ask("{ product(productId: 1) { id } }")
    assert body["errors"][0]["extensions"]["code"] == "unavailable"
    assert "secret" not in json.dumps(body)


def test_a_browser_gets_graphiql_which_loads_from_here_alone(client):
    answer = client.get("/graphql", headers=BROWSER)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    loaded = re.findall(r'(?:src|href|data-examples)="([^"]+)"', answer.text)
    assert len(loaded) >= 9
    for address in set(loaded) - {"data:,"}:
        with client.get(address) as file:
            assert file.status_code == 200, address
    assert "<script>" not in answer.text
