"""Tasks over GraphQL, by the rules of the REST API."""

import pytest

from tests.factories import make_product

FIELDS = "id title description status productId dueAt version"
CREATE = f"""mutation($title: String!, $productId: ID, $dueAt: DateTime) {{
  createTask(title: $title, productId: $productId, dueAt: $dueAt) {{ task {{ {FIELDS} }} }} }}"""
UPDATE = f"""mutation($id: ID!, $status: String, $dueAt: DateTime, $version: Int) {{
  updateTask(taskId: $id, status: $status, dueAt: $dueAt, version: $version) {{ task {{ {FIELDS} }} }} }}"""
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def make(ask, context):
    """Create a task and return it."""
    return lambda **given: ask(CREATE, **{"title": "Order lamps", **given})["data"]["createTask"]["task"]


def code(body) -> str:
    (error,) = body["errors"]
    return error["extensions"]["code"]


def test_a_task_is_created_read_changed_and_deleted(ask, make, client):
    product = make_product()
    task = make(productId=str(product.id), dueAt="2026-12-24T18:00:00+01:00")
    assert (task["status"], task["productId"], task["version"]) == ("PENDING", str(product.id), 1)
    assert task["dueAt"] == "2026-12-24T17:00:00Z"
    assert client.get(f"/api/v1/tasks/{task['id']}").json["due_at"] == task["dueAt"]
    read = ask(f"query($id: ID!) {{ task(taskId: $id) {{ {FIELDS} }} }}", id=task["id"])
    assert read["data"]["task"] == task
    changed = ask(UPDATE, id=task["id"], status="IN_PROGRESS", dueAt=None)["data"]["updateTask"]["task"]
    assert (changed["status"], changed["dueAt"], changed["title"]) == ("IN_PROGRESS", None, "Order lamps")
    assert changed["version"] == 2
    delete = "mutation($id: ID!) { deleteTask(taskId: $id) { success message } }"
    assert ask(delete, id=task["id"])["data"]["deleteTask"]["success"] is True
    assert code(ask(delete, id=task["id"])) == "not_found"


def test_tasks_are_listed_filtered_and_paged_the_newest_first(ask, make):
    product = make_product()
    due = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    ids = [make(productId=str(product.id), dueAt=moment)["id"] for moment in due]
    query = """query($first: Int, $after: ID, $product: ID, $from: DateTime, $to: DateTime, $status: String) {
      tasks(first: $first, after: $after, productId: $product, dueAfter: $from, dueBefore: $to, status: $status) {
        total hasMore nextCursor items { id } } }"""
    page = ask(query, first=2, product=str(product.id))["data"]["tasks"]
    assert ([each["id"] for each in page["items"]], page["total"], page["hasMore"]) == (ids[:0:-1], 3, True)
    rest = ask(query, first=2, product=str(product.id), after=page["nextCursor"])["data"]["tasks"]
    assert ([each["id"] for each in rest["items"]], rest["hasMore"], rest["nextCursor"]) == (ids[:1], False, None)
    found = ask(query, product=str(product.id), **{"from": due[1], "to": due[2]})["data"]["tasks"]
    assert [each["id"] for each in found["items"]] == [ids[1]]
    assert ask(query, product=str(product.id), status="COMPLETED")["data"]["tasks"]["total"] == 0


def test_a_status_that_cannot_follow_is_a_conflict_and_an_old_version_is_refused(ask, make):
    task = make()
    assert code(ask(UPDATE, id=task["id"], status="CANCELLED", version=2)) == "precondition_failed"
    assert "errors" not in ask(UPDATE, id=task["id"], status="CANCELLED", version=1)
    assert code(ask(UPDATE, id=task["id"], status="PENDING")) == "conflict"


def test_what_rest_would_refuse_is_refused_by_argument(ask, context):
    for given, field in (({"title": " "}, "title"), ({"title": "A", "productId": "7"}, "productId")):
        (error,) = ask(CREATE, **given)["errors"]
        assert error["extensions"]["code"] == "validation_error"
        assert [each["field"] for each in error["extensions"]["errors"]] == [field]
    assert code(ask(CREATE, title="A", productId=NOBODY)) == "validation_error"
    assert code(ask("{ tasks(first: 101) { total } }")) == "validation_error"
    assert code(ask("{ tasks(after: 7) { total } }")) == "validation_error"
    assert code(ask(UPDATE, id=NOBODY, status="COMPLETED")) == "not_found"
