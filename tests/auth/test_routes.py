"""Keys over REST."""

from datetime import UTC, datetime

import pytest

from tests.auth.conftest import bearer, key_id

URL = "/api/v1/keys"
NEW = {"name": "Warehouse", "scopes": ["products:read", "imports"]}


@pytest.fixture
def admin(outside, new_key):
    """Return a function that asks as an administrator."""
    headers = bearer(new_key("admin"))
    return lambda method, path="", **options: outside.open(URL + path, method=method, headers=headers, **options)


def test_a_key_is_shown_once_and_works_at_once(admin, outside):
    answer = admin("POST", json={**NEW, "networks": ["127.0.0.0/8"], "expires_at": "2099-12-31T00:00:00Z"})
    made = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{URL}/{made['id']}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert made["key"].startswith(f"cat_live_{made['id']}_")
    assert outside.get("/api/v1/imports", headers=bearer(made["key"])).status_code == 200
    shown = admin("GET", f"/{made['id']}").json
    assert shown == {
        **{name: value for name, value in made.items() if name != "key"},
        "last_used_at": shown["last_used_at"],
    }
    assert made["key"][-40:] not in admin("GET").text


def test_keys_are_listed_the_newest_first(admin):
    made = [admin("POST", json={**NEW, "name": name}).json["id"] for name in ("a", "b", "c")]
    admin("DELETE", f"/{made[1]}")
    page = admin("GET", "?limit=2").json
    assert [each["name"] for each in page["items"]] == ["c", "b"]
    assert (page["total"], page["has_more"]) == (4, True)
    assert [each["id"] for each in admin("GET", "?revoked=true").json["items"]] == [made[1]]
    assert made[1] not in admin("GET", "?revoked=false").text


def test_a_key_is_changed_and_revoked_for_good(admin, outside):
    made = admin("POST", json=NEW).json
    path = f"/{made['id']}"
    changed = admin("PUT", path, json={"scopes": ["tasks"]}).json
    assert (changed["name"], changed["scopes"]) == ("Warehouse", ["tasks"])
    assert outside.get("/api/v1/tasks", headers=bearer(made["key"])).status_code == 200
    assert [admin("DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert admin("GET", path).json["revoked_at"] is not None
    assert admin("PUT", path, json={"name": "x"}).status_code == 409
    assert admin("POST", f"{path}/rotate", json={}).status_code == 409


def test_a_rotation_answers_with_the_new_key(admin):
    made = admin("POST", json=NEW).json
    answer = admin("POST", f"/{made['id']}/rotate", json={"previous_valid_hours": 2})
    assert key_id(answer.json["key"]) == made["id"]
    assert answer.json["key"] != made["key"]
    hours = datetime.fromisoformat(answer.json["previous_valid_until"]) - datetime.now(UTC)
    assert 1.9 < hours.total_seconds() / 3600 < 2.1
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"networks": ["10.1.2.3/16"]}, "networks.0"),
        ({"networks": ["here"]}, "networks.0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"id": "mine"}, "id"),
    ],
)
def test_what_cannot_be_is_refused_by_field(admin, changes, field):
    answer = admin("POST", json={**NEW, **changes})
    assert (answer.status_code, [each["field"] for each in answer.json["errors"]]) == (400, [field])


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/rotate")])
def test_a_key_that_there_is_not_is_404(admin, method, path):
    assert admin(method, f"/none{path}", json={}).status_code == 404


def test_only_an_administrator_gets_here(outside, new_key):
    answer = outside.post(URL, json={"name": "More", "scopes": ["admin"]}, headers=bearer(new_key()))
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_the_document_says_what_each_operation_wants(outside, client):
    closed, opened = (each.get("/api/openapi.json").json for each in (outside, client))
    assert set(closed["components"]["securitySchemes"]) == {"bearer", "api_key"}
    assert closed["paths"]["/api/v1/products"]["post"]["security"] == [
        {"bearer": ["products:write"]},
        {"api_key": ["products:write"]},
    ]
    assert opened["paths"]["/api/v1/products"]["post"]["security"][-1] == {}  # without one, too
    assert closed["paths"]["/health/live"]["get"]["security"] == []
    for path, item in closed["paths"].items():
        for method in {"get", "post", "put", "patch", "delete"} & set(item):
            answers = item[method]["responses"]
            assert ({"401", "403"} <= set(answers)) == bool(item[method]["security"]), f"{method} {path}"
