"""Whatever is sent, the entry answers: never with a 5xx, never with an internal error."""

from graphql import print_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

from catalog.graphql_api.schema import core

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [(kind, name, field) for kind, root in (("query", core.query_type), ("mutation", core.mutation_type))
          for name, field in root.fields.items()]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["null", "true", "1", "-1", "1e400", "0.001", '""', '" "', '"\\u0000"', '"7"', "[]", "[null]", "{}"]
    ),
    st.sampled_from(['"*"', '"product.created"', '"http://127.0.0.1:1/"', "2147483648", '"2020-01-01"', "{a: 1e400}"]),
    st.integers().map(str),
)
JSON_LITERALS = st.text(max_size=5).map(nodes.String) | st.integers().map(nodes.Int)
TIMES = st.datetimes(timezones=st.timezones()).map(lambda moment: nodes.String(moment.isoformat()))
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sound(answer):
    assert answer.status_code < 500
    if answer.is_json and "errors" in answer.json and answer.mimetype == "application/json":
        assert all(error["extensions"]["code"] != "internal_error" for error in answer.json["errors"]), answer.text


@st.composite
def operations(draw):
    """One operation with any arguments of its field, in the shape that its type needs."""
    kind, name, field = draw(st.sampled_from(FIELDS))
    given_names = draw(st.sets(st.sampled_from(sorted(field.args)))) if field.args else set()
    needed = {each for each, argument in field.args.items() if str(argument.type).endswith("!")}
    arguments = ", ".join(f"{each}: {draw(VALUES)}" for each in sorted(given_names | needed))
    return f"{kind} {{ {name}{f'({arguments})' if arguments else ''} {{ __typename }} }}"


@QUICK
@given(text=st.text(alphabet=st.sampled_from('{}()[]:$!@."#\\ \n\x00aq1é\U0001f600'), max_size=60))
def test_any_text_is_answered(client, text):
    sound(client.post("/graphql", json={"query": text}))


@QUICK
@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "application/graphql", "text/plain", ""])
)
def test_any_bytes_are_answered(client, body, kind):
    sound(client.post("/graphql", data=body, content_type=kind))


@settings(QUICK, max_examples=60)
@given(document=from_schema(print_schema(core), custom_scalars={"JSON": JSON_LITERALS, "DateTime": TIMES}))
def test_any_operation_of_the_grammar_is_answered(client, document):
    sound(client.post("/graphql", json={"query": document}))


@QUICK
@given(operation=operations())
def test_any_operation_with_any_arguments_is_answered(client, operation):
    sound(client.post("/graphql", json={"query": operation}))


@QUICK
@given(body=JSON, variable=JSON)
def test_any_body_and_any_variable_is_answered(client, body, variable):
    sound(client.post("/graphql", json=body))
    query = 'query($v: JSON) { a: __typename @skip(if: true) } mutation M($v: JSON) { createWebhook(url: "http://127.0.0.1:1/", events: ["*"], headers: $v) { webhook { id } } }'  # noqa: E501
    sound(client.post("/graphql", json={"query": query, "variables": {"v": variable}, "operationName": "M"}))
