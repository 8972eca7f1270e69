"""What is too much is refused before it costs anything; what is wrong is told as such."""

import time

import pytest
from graphql import get_introspection_query, parse

from catalog.graphql_api import limits
from catalog.graphql_api.documents import Invalid, prepared
from catalog.graphql_api.errors import Refused

MANY = range(1_000)
FRAGMENTS = range(29)

HOSTILE = {
    "an alias bomb": ("{" + " ".join(f"a{n}: product(productId: {n}) {{ id }}" for n in MANY) + "}", "too_many_tokens"),
    "a small alias bomb": ("{" + "".join(f"a{n}: product(productId: 1) {{id}}" for n in range(16)) + "}", "too_many_aliases"),  # noqa: E501
    "a query 10,000 deep": ("{a" * 10_000 + "}" * 10_000, "too_many_tokens"),
    "a query 480 deep": ("{a" * 480 + "}" * 480, "too_deep"),
    "a query 9 deep": ("{a" * 9 + "}" * 9, "too_deep"),
    "a value 450 deep": ("{product(productId: " + "[" * 450 + "]" * 450 + "){id}}", "too_deep"),
    "inline fragments in each other": ("{" + "...{" * 240 + "__typename" + "}" * 240 + "}", "too_deep"),
    "a fragment cycle": ("{...A} fragment A on Query {...B} fragment B on Query {...A}", "graphql_invalid"),
    "a fragment of itself": ("{product(productId: 1) {...A}} fragment A on Product {id ...A}", "graphql_invalid"),
    "one field again and again": ("{" + "__typename " * 99 + "}", "too_many_aliases"),
    "unknown fields": ("{" + " ".join(f"products{n}" for n in range(900)) + "}", "too_many_fields"),
    "some unknown fields": ("{" + " ".join(f"products{n}" for n in range(99)) + "}", "graphql_invalid"),
    "unknown arguments": ("{product(" + " ".join(f"a{n}: 1" for n in range(320)) + "){id}}", "graphql_invalid"),
    "unused variables": ("query(" + " ".join(f"$v{n}: Int" for n in range(240)) + "){__typename}", "graphql_invalid"),
    "many operations": (" ".join(f"query q{n} {{__typename}}" for n in range(190)), "too_many_definitions"),
    "comments alone": ("#\n" * 9_900, "too_many_tokens"),
    "a long text": ("#" * 20_001, "too_many_tokens"),
    "the schema sixteen times": ("{a: __schema {types {name}} b: __schema {types {name}}}", "too_many_aliases"),
    "the schema, deep": ("{__schema{types{fields{type{fields{type{fields{name}}}}}}}}", "graphql_invalid"),
    "nothing": ("", "graphql_syntax_error"),
    "fragments that all meet": (
        "{product(productId: 1) {" + " ".join(f"...F{n}" for n in FRAGMENTS) + "}}"
        + " ".join(f"fragment F{n} on Product {{id sku nope}}" for n in FRAGMENTS),
        "graphql_invalid",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_in_a_moment(ask, name):
    document, code = HOSTILE[name]
    ask("{ __typename }")
    taken = []
    for number in range(3):
        started = time.thread_time()  # of this thread alone, whatever else the machine does
        body = ask(f"{document}\n#{number}")
        taken.append(time.thread_time() - started)
        assert body["errors"][0]["extensions"]["code"] == code
        assert "data" not in body
    assert min(taken) < 0.05


def test_the_questions_of_an_editor_about_the_schema_are_within_the_limits(ask):
    body = ask(get_introspection_query(input_value_deprecation=True))
    assert {each["name"] for each in body["data"]["__schema"]["types"]} >= {"Product", "Import", "Webhook"}


def test_without_introspection_the_schema_stays_closed():
    with pytest.raises(Invalid):
        prepared("{ __schema { types { name } } }", introspection=False)
    with pytest.raises(Invalid) as raised:
        prepared("{ produkt }", introspection=False)
    assert "Did you mean" not in str(raised.value.errors)


def cost(text, **variables):
    document = parse(text)
    try:
        limits.Cost(limits.fragments_of(document), variables).check(document.definitions[0])
    except Refused as refusal:
        return refusal.code
    return None


def test_lists_are_multiplied_into_the_cost():
    wide = "id uuid sku title price description category image active version createdAt updatedAt"
    assert cost(f"{{ allProducts(first: 100) {{ {wide} }} }}") is None
    assert (
        cost("{" + " ".join(f"a{n}: allProducts(first: 100) {{ {wide} }}" for n in range(9)) + "}") == "too_expensive"
    )
    assert cost("{" + " ".join(f"a{n}: allProducts(first: 5) {{ {wide} }}" for n in range(9)) + "}") is None


def test_a_list_as_long_as_a_variable_or_a_default_says_counts_so():
    fields = " ".join(f"a{n}: allProducts(first: $n) {{ ...A }}" for n in range(9))
    text = f"query($n: Int) {{ {fields} }} fragment A on Product {{ id uuid sku title price active image version a: id b: id c: id d: id }}"  # noqa: E501
    assert cost(text, n=5) is None
    assert cost(text, n=100) == cost(text) == cost(text, n="5") == "too_expensive"
    assert cost(text.replace("(first: $n)", "")) == "too_expensive"


def test_only_one_test_of_a_webhook_fits_in_an_operation():
    one = "t{}: testWebhook(webhookId: 1) {{ success }}"
    assert cost("mutation {" + one.format(1) + "}") is None
    assert cost("mutation {" + one.format(1) + one.format(2) + "}") == "too_expensive"


def test_a_document_is_read_once():
    before = prepared.cache_info()
    text = "{ product(productId: 4711) { id } }"
    assert prepared(text, True) is prepared(text, True)
    assert prepared.cache_info().misses == before.misses + 1
