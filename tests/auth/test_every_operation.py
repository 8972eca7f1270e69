"""Each route and each GraphQL field with each kind of wrong key, in production: 401 or 403, and nothing has run."""

import pytest
from graphql import GraphQLEnumType, GraphQLNonNull, get_named_type, is_input_object_type, is_leaf_type, is_list_type
from graphql import parse as parse_graphql

from catalog import access
from catalog.access import PUBLIC, SCOPES, Undeclared
from catalog.app import create_app
from catalog.auth import service
from catalog.console.pages import TOKEN_COOKIE, TOKEN_HEADER
from catalog.graphql_api.schema import core, declared_scopes, scopes
from catalog.http import Blueprint
from tests.auth.conftest import ago, bearer, key_id

PARTS = {"uuid": "0198c0de-0000-7000-8000-000000000001", "int": "7", "string": "name"}
PARTS |= dict.fromkeys(("path", "rest"), "LAMP-1")
PUBLIC_ADDRESSES = {
    *("/", "/health", "/health/live", "/health/ready", "/api/v1/hello"),
    *("/api/docs", "/api/redoc", "/docs", "/redoc", "/api/openapi.json"),
    *("/console", "/console/sign-in", "/console/sign-out"),  # the first redirects to the overview
    *(
        "/console/static/<path:filename>",
        "/static/<path:filename>",
        "/api/static/<path:filename>",
        "/graphql/static/<path:filename>",
    ),
}


def operations(app):
    """Yield (method, rule, address, scope) of everything that the application answers."""
    for rule in app.url_map.iter_rules():
        parts = {name: PARTS[_kind(converter)] for name, converter in rule._converters.items()}
        address = rule.build(parts)[1]
        for method in sorted(rule.methods - {"OPTIONS"}):
            yield method, rule.rule, address, access.needed(app, rule.endpoint, method)


def _kind(converter):
    return (
        type(converter)
        .__name__.removesuffix("Converter")
        .lower()
        .replace("unicode", "string")
        .replace("integer", "int")
    )


@pytest.fixture
def wrong_keys(production, new_key):
    """Headers by kind; each but those without a key is for all scopes."""
    revoked, expired, good = new_key(), new_key(expires_at=ago(seconds=1)), new_key()
    with production.app_context():
        service.revoke(key_id(revoked))
    typo = good[:-1] + ("0" if good[-1] != "0" else "1")
    other_secret = production.extensions["catalog-keyring"].signer.new(key_id(good)).text
    unknown = production.extensions["catalog-keyring"].signer.new().text
    wrong = {"typo": typo, "other secret": other_secret, "unknown": unknown, "nonsense": "hunter2", "blank": ""}
    headers = {kind: bearer(key) for kind, key in {**wrong, "revoked": revoked, "expired": expired}.items()}
    return {"none": {}, "basic": {"Authorization": "Basic YTpi"}, **headers}


@pytest.fixture
def no_view_runs(production, monkeypatch):
    def refuse(self, *_):
        raise AssertionError("the view was entered")

    monkeypatch.setattr(type(production), "dispatch_request", refuse)


def own_page(app):
    """Return a client that has the cookie, and the header, of a page of the console."""
    client = app.test_client()
    client.set_cookie(TOKEN_COOKIE, "token", path="/console")
    return client, {TOKEN_HEADER: "token"}


def walk(app, keys, lacking):
    """Ask for everything with each wrong key and with one that lacks the scope; return (asked, what was let in)."""
    asked, let_in = 0, []
    client, from_page = own_page(app)
    for method, rule, address, scope in operations(app):
        if scope is PUBLIC:
            continue
        tried = {kind: (header, 401) for kind, header in keys.items()}
        if scope in SCOPES:
            tried["no scope"] = (bearer(lacking(scope)), 403)
        for kind, (header, expected) in tried.items():
            headers = {**header, **from_page}
            answer = client.open(address, method=method, headers=headers, data=b"{no json", content_type="text/plain")
            asked += 1
            if answer.status_code != expected:
                let_in.append(f"{method} {rule} with {kind}: {answer.status_code}")
    return asked, let_in


@pytest.fixture
def lacking(new_key):
    """Return a function that gives a key with every scope but one, and without `admin`."""
    made = {}

    def key(scope):
        if scope not in made:
            made[scope] = new_key(*(each for each in SCOPES[:-1] if each != scope))
        return made[scope]

    return key


@pytest.mark.usefixtures("no_view_runs")
def test_every_operation_refuses_every_kind_of_wrong_key_before_anything_runs(production, wrong_keys, lacking):
    asked, let_in = walk(production, wrong_keys, lacking)
    assert let_in == []
    assert asked > 800


@pytest.mark.usefixtures("no_view_runs")
def test_a_new_route_joins_by_itself(own_production, wrong_keys, lacking):
    added = Blueprint("added", __name__, url_prefix="/added", scope="tasks")
    added.get("/<uuid:added_id>")(lambda added_id: "ran")
    before = len(list(operations(own_production)))
    own_production.register_blueprint(added)
    joined = [found for found in operations(own_production) if found[1] == "/added/<uuid:added_id>"]
    assert len(list(operations(own_production))) == before + len(joined)
    assert [method for method, *_ in joined] == ["GET", "HEAD"]
    assert walk(own_production, wrong_keys, lacking)[1] == []


def test_the_walk_would_see_an_open_route(production, wrong_keys, lacking, monkeypatch):
    monkeypatch.setattr(
        "catalog.gate.of", lambda app: type("Open", (), {"who": lambda *_, **__: access.Caller("x", "x")})
    )
    monkeypatch.setattr(type(production), "dispatch_request", lambda self: "ran")
    asked, let_in = walk(production, wrong_keys, lacking)
    assert len(let_in) == asked


def test_what_is_public_is_just_this(production):
    assert {rule for _, rule, _, scope in operations(production) if scope is PUBLIC} == PUBLIC_ADDRESSES


@pytest.mark.parametrize(
    "address", ["/", "/health/live", "/api/v1/hello", "/api/docs", "/api/redoc", "/api/openapi.json"]
)
def test_what_is_public_needs_no_key_and_asks_none_to_be_right(outside, address):
    assert outside.get(address).status_code == 200
    assert outside.get(address, headers=bearer("hunter2")).status_code == 200


def test_each_operation_lets_in_the_scope_that_it_declares_and_admin(production, new_key, monkeypatch):
    monkeypatch.setattr(type(production), "dispatch_request", lambda self: "ran")
    (client, from_page), admin = own_page(production), new_key("admin")
    keys = {scope: new_key(scope) for scope in SCOPES}
    for method, rule, address, scope in operations(production):
        for key in (admin, keys.get(scope, admin)):
            answer = client.open(address, method=method, headers={**bearer(key), **from_page})
            assert answer.status_code == 200, f"{method} {rule}: {answer.text}"


def test_reads_and_writes_of_products_have_scopes_of_their_own(production):
    found = {(method, rule): scope for method, rule, _, scope in operations(production)}
    for start in ("/api/v1/products", "/products"):
        assert found["POST", start] == "products:write"
        assert found["GET", f"{start}/<uuid:product_id>"] == "products:read"
        assert found["DELETE", f"{start}/<uuid:product_id>"] == "products:write"
    assert found["GET", "/api/v1/products/export"] == "products:read"
    assert found["DELETE", "/api/v1/products/all"] == "products:write"
    for rule in ("products/upload", "transforms/<string:name>", "imports/suggested-mapping", "imports/mappings"):
        assert found["POST", f"/api/v1/{rule}"] == "imports"
    assert found["DELETE", "/api/v1/celery/task/<uuid:job_id>"] == "jobs"
    assert found["GET", "/api/python/v1/tasks"] == "tasks"
    assert found["POST", "/api/v1/keys"] == "admin"
    assert found["GET", "/metrics"] == "metrics"


@pytest.mark.parametrize("declared", [{}, {"scope": "everything"}])
def test_the_application_does_not_start_with_a_route_that_declares_no_scope_or_an_unknown_one(monkeypatch, declared):
    from flask import Blueprint as Bare

    added = Blueprint("added", __name__, **declared) if declared else Bare("added", __name__)
    added.get("/added")(lambda: "ran")
    import catalog.app

    real = catalog.app._register_features
    monkeypatch.setattr(catalog.app, "_register_features", lambda app: (real(app), app.register_blueprint(added)))
    with pytest.raises(Undeclared, match=r"/added|everything"):
        create_app()


def test_what_is_registered_afterwards_without_a_scope_is_refused(own_production, new_key):
    own_production.add_url_rule("/bare", "bare", lambda: "ran")
    outside = own_production.test_client()
    assert outside.get("/bare").status_code == 403
    assert outside.get("/bare", headers=bearer(new_key("admin"))).status_code == 403


def test_every_address_that_flask_does_not_know_is_no_way_in(outside):
    assert outside.get("/api/v1/nothing").status_code == 404
    assert outside.delete("/api/v1/products").status_code == 405


# GraphQL


def root_fields():
    return [(kind.name, name) for kind in (core.query_type, core.mutation_type) for name in kind.fields]


def operation_for(kind, name):
    """Return a valid operation that asks for one field, with some value for each argument that it must have."""
    field = core.type_map[kind].fields[name]  # type: ignore[attr-defined]
    given = ", ".join(
        f"{each}: {_value(arg.type)}" for each, arg in field.args.items() if isinstance(arg.type, GraphQLNonNull)
    )
    shown = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{'mutation' if kind == 'Mutation' else 'query'} {{ {name}{f'({given})' if given else ''}{shown} }}"


def _value(kind):
    inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if is_list_type(inner):
        return f"[{_value(inner.of_type)}]"
    if is_input_object_type(inner):
        return "{" + ", ".join(f"{name}: {_value(each.type)}" for name, each in inner.fields.items()) + "}"
    assert not isinstance(inner, GraphQLEnumType)
    return {"ID": '"7"', "String": '"x"', "Int": "1", "Float": "1.5"}[inner.name]


def ask(client, text, header):
    return client.post("/graphql", json={"query": text}, headers=header)


@pytest.mark.parametrize(("kind", "name"), root_fields())
def test_the_operations_that_are_tried_are_valid(kind, name):
    from graphql import validate

    assert validate(core, parse_graphql(operation_for(kind, name))) == []


def test_every_graphql_field_refuses_every_kind_of_wrong_key(outside, wrong_keys, lacking, monkeypatch):
    monkeypatch.setattr("catalog.graphql_api.execution._run", lambda *_: {"data": "ran"})
    let_in = []
    for kind, name in root_fields():
        text, scope = operation_for(kind, name), scopes[kind, name]
        tried = {each: (header, 401) for each, header in wrong_keys.items()} | {
            "no scope": (bearer(lacking(scope)), 403)
        }
        for each, (header, expected) in tried.items():
            answer = ask(outside, text, header)
            if answer.status_code != expected:
                let_in.append(f"{kind}.{name} with {each}: {answer.status_code}")
    assert let_in == []


def test_every_graphql_field_lets_in_its_scope_and_admin(outside, new_key, monkeypatch):
    monkeypatch.setattr("catalog.graphql_api.execution._run", lambda *_: {"data": "ran"})
    keys = {scope: new_key(scope) for scope in SCOPES}
    for field in root_fields():
        for scope in (scopes[field], "admin"):
            assert ask(outside, operation_for(*field), bearer(keys[scope])).json == {"data": "ran"}, field


@pytest.mark.parametrize(
    "text",
    [
        "{ allProducts { id } tasks { total } }",
        "{ a: allProducts { id } b: tasks { total } }",
        "{ allProducts { id } ...Others } fragment Others on Query { ... on Query { tasks { total } } }",
        "query { allProducts { id } ... @include(if: true) { tasks { total } } }",
        "query { allProducts { id } tasks @skip(if: true) { total } }",
    ],
)
def test_one_field_without_its_scope_is_enough_however_it_is_written(outside, new_key, text):
    answer = ask(outside, text, bearer(new_key("products:read")))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "`tasks`" in answer.json["detail"]
    assert ask(outside, text, bearer(new_key("products:read", "tasks"))).status_code == 200


def test_of_several_operations_the_one_that_runs_is_asked_about(outside, new_key):
    text = "query A { allProducts { id } } query B { tasks { total } }"
    key = bearer(new_key("products:read"))
    found = {
        name: outside.post("/graphql", json={"query": text, "operationName": name}, headers=key).status_code
        for name in "AB"
    }
    assert found == {"A": 200, "B": 403}


def test_a_document_that_is_wrong_is_answered_as_ever(outside, new_key):
    answer = ask(outside, "{ nothing }", bearer(new_key("tasks")))
    assert (answer.status_code, answer.json["errors"][0]["extensions"]["code"]) == (200, "graphql_invalid")


def test_a_schema_with_a_field_that_declares_no_scope_is_not_built():
    import strawberry

    @strawberry.type
    class Query:
        @strawberry.field
        def bare(self) -> str:
            return "ran"

    with pytest.raises(Undeclared, match=r"Query\.bare"):
        declared_scopes(strawberry.Schema(Query)._schema)
