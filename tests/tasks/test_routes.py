"""REST over tasks, as its clients see it."""

import re
import uuid
from itertools import product as pairs

import pytest

from catalog.tasks.models import STATUSES

URL = "/api/v1/tasks"
PRODUCTS = "/api/v1/products"
ADDRESSES = (URL, "/api/python/v1/tasks")


def create(client, **fields):
    answer = client.post(URL, json={"title": "Order lamps", **fields})
    assert answer.status_code == 201, answer.text
    return answer


def make_product(client) -> str:
    return client.post(PRODUCTS, json={"name": "Lamp"}).json["id"]


def titles(client, **query) -> list[str]:
    answer = client.get(URL, query_string=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json["items"]]


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_task_is_created_pending_with_everything_the_contract_names(client, url):
    answer = client.post(f"{url}/", json={"title": "Order lamps", "description": "Twenty"})
    body = answer.json
    assert answer.status_code == 201
    assert list(body) == [
        "id", "title", "description", "status", "product_id", "due_at", "version", "created_at", "updated_at",
    ]  # fmt: skip
    assert uuid.UUID(body["id"]).version == 7
    assert (body["title"], body["description"], body["status"]) == ("Order lamps", "Twenty", "PENDING")
    assert (body["product_id"], body["due_at"], body["version"]) == (None, None, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["created_at"])
    assert answer.headers["Location"] == f"{url}/{body['id']}"
    assert client.get(answer.headers["Location"]).json == body


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_task_made_at_one_address_is_changed_and_deleted_at_either(client, url):
    task = create(client).json["id"]
    assert client.put(f"{url}/{task}", json={"status": "IN_PROGRESS"}).json["status"] == "IN_PROGRESS"
    assert client.get(f"{url}").json["items"][0]["id"] == task
    assert client.delete(f"{url}/{task}").status_code == 204
    assert {client.get(f"{other}/{task}").status_code for other in ADDRESSES} == {404}


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
        ("2026-12-31T23:30:00.25-02:30", "2027-01-01T02:00:00.250000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        (None, None),
    ],
)
def test_due_at_is_answered_in_utc_at_once_and_later(client, given, answered):
    created = create(client, due_at=given)
    assert created.json["due_at"] == answered
    assert client.get(created.headers["Location"]).json["due_at"] == answered


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None), ("title", ""), ("title", " \t\n"), ("title", "x" * 256), ("title", "a\x00"), ("title", 5),
        ("description", "x" * 10_001), ("description", ["x"]),
        ("due_at", "2026-12-24T18:00:00"), ("due_at", "2026-12-24"), ("due_at", "2026-02-30T00:00:00Z"),
        ("due_at", "0001-01-01T00:00:00+14:00"), ("due_at", "9999-12-31T23:59:59-12:00"), ("due_at", 1766592000),
        ("product_id", "7"), ("product_id", 7), ("product_id", "01a1fbf7-541d-7368-acbb-2c2d1bd53bb1"),
        ("status", "DONE"), ("status", "pending"), ("status", None), ("owner", "me"), ("version", 3),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_field_in_a_new_task_and_in_a_change(client, field, value):
    task = create(client)
    new = client.post(URL, json={"title": "Order lamps", field: value})
    changed = client.put(task.headers["Location"], json={field: value})
    for answer in (new, changed):
        assert (answer.status_code, answer.json["detail"]) == (400, "Validation error"), answer.text
        assert {error["field"] for error in answer.json["errors"]} == {field}
    assert client.get(URL).json["total"] == 1
    assert client.get(task.headers["Location"]).json == task.json


def test_a_title_is_required_and_a_new_task_takes_no_status(client):
    assert client.post(URL, json={}).json["errors"][0] == {
        "field": "title", "message": "Missing data for required field.", "code": "required",
    }  # fmt: skip
    refused = client.post(URL, json={"title": "x", "status": "COMPLETED"})
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (400, "unknown_field")


def test_the_longest_values_fit(client):
    longest = {"title": "ß" * 255, "description": "\U0001f4a1" * 10_000}
    assert longest.items() <= create(client, **longest).json.items()


def test_a_change_changes_the_given_fields_only_and_counts_the_version(client):
    created = create(client, description="Twenty", due_at="2026-12-24T18:00:00Z")
    changed = client.put(created.headers["Location"], json={"description": None, "status": "IN_PROGRESS"})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    different = {key for key in changed.json if changed.json[key] != created.json[key]}
    assert different == {"description", "status", "version", "updated_at"}


def test_a_change_that_changes_nothing_keeps_the_version(client):
    created = create(client, due_at="2026-12-24T18:00:00Z")
    same = {"title": "Order lamps", "status": "PENDING", "due_at": "2026-12-24T19:00:00+01:00"}
    assert client.put(created.headers["Location"], json=same).json == created.json


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_stale_if_match_is_412_and_changes_nothing(client, method):
    url = create(client).headers["Location"]
    now = client.put(url, json={"title": "Order bulbs"}).json
    body = {"json": {"title": "Order shades"}} if method == "put" else {}
    answer = getattr(client, method)(url, headers={"If-Match": '"1"'}, **body)
    assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
    assert client.get(url).json == now
    assert getattr(client, method)(url, headers={"If-Match": '"2"'}, **body).status_code in (200, 204)


REACHED_BY = {"PENDING": [], "IN_PROGRESS": ["IN_PROGRESS"], "COMPLETED": ["COMPLETED"], "CANCELLED": ["CANCELLED"]}
MAKE_SENSE = {
    ("PENDING", "IN_PROGRESS"), ("PENDING", "COMPLETED"), ("PENDING", "CANCELLED"),
    ("IN_PROGRESS", "PENDING"), ("IN_PROGRESS", "COMPLETED"), ("IN_PROGRESS", "CANCELLED"),
}  # fmt: skip


@pytest.mark.parametrize(("present", "wanted"), list(pairs(STATUSES, STATUSES)))
def test_a_status_follows_another_only_where_that_makes_sense(client, present, wanted):
    url = create(client).headers["Location"]
    for status in REACHED_BY[present]:
        client.put(url, json={"status": status})
    before = client.get(url).json
    answer = client.put(url, json={"status": wanted, "title": before["title"]})
    if present == wanted:
        assert (answer.status_code, answer.json) == (200, before)
    elif (present, wanted) in MAKE_SENSE:
        assert (answer.status_code, answer.json["status"]) == (200, wanted)
    else:
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")
        assert present in answer.json["detail"]
        assert wanted in answer.json["detail"]
        assert answer.json["errors"][0]["field"] == "status"
        assert client.get(url).json == before


def test_a_finished_task_can_still_be_reworded(client):
    url = create(client).headers["Location"]
    client.put(url, json={"status": "COMPLETED"})
    assert client.put(url, json={"title": "Lamps ordered", "status": "COMPLETED"}).json["title"] == "Lamps ordered"


def test_a_task_that_there_is_not_is_404_for_everyone(client):
    url = f"{URL}/{uuid.uuid4()}"
    answers = client.get(url), client.put(url, json={"title": "x"}), client.delete(url)
    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_the_list_is_filtered_by_status_and_by_product(client):
    lamp = make_product(client)
    create(client, title="about the lamp", product_id=lamp)
    done = create(client, title="done", product_id=lamp).headers["Location"]
    create(client, title="about nothing")
    client.put(done, json={"status": "COMPLETED"})
    assert titles(client) == ["about nothing", "done", "about the lamp"]
    assert titles(client, status="PENDING") == ["about nothing", "about the lamp"]
    assert titles(client, product_id=lamp) == ["done", "about the lamp"]
    assert titles(client, product_id=lamp, status="COMPLETED") == ["done"]
    assert titles(client, product_id=uuid.uuid4()) == []


def test_the_list_is_filtered_by_when_tasks_are_due(client):
    for hour in (17, 18, 19):
        create(client, title=f"at {hour}", due_at=f"2026-12-24T{hour}:00:00Z")
    create(client, title="whenever")
    assert titles(client, due_after="2026-12-24T18:00:00Z") == ["at 19", "at 18"]
    assert titles(client, due_before="2026-12-24T19:00:00+01:00") == ["at 17"]
    assert titles(client, due_after="2026-12-24T17:00:00Z", due_before="2026-12-24T19:00:00Z") == ["at 18", "at 17"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_by_cursor_and_by_offset_hold_every_task_once(client, limit):
    for number in range(7):
        create(client, title=f"task {number}")
    by_cursor, by_offset, query = [], [], {"limit": limit}
    while True:
        page = client.get(URL, query_string=query).json
        by_cursor += page["items"]
        by_offset += client.get(URL, query_string={"limit": limit, "offset": len(by_offset)}).json["items"]
        assert (page["total"], page["has_more"]) == (7, page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert [task["title"] for task in by_cursor] == [f"task {number}" for number in reversed(range(7))]
    assert by_offset == by_cursor


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=-1", "offset=-1", f"offset={10**30}", "cursor=x", "status=DONE", "status=",
        "product_id=7", "due_before=2026-12-24", "due_after=tomorrow", "due_after=0001-01-01T00:00:00%2B14:00",
        "due_before=2026-12-24T18:00:00", "colour=red", "status=%00",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_400_and_named(client, query):
    answer = client.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_a_deleted_product_leaves_its_tasks_without_one_and_that_counts_as_a_change(client):
    lamp = make_product(client)
    url = create(client, product_id=lamp).headers["Location"]
    before = client.get(url)
    client.delete(f"{PRODUCTS}/{lamp}")
    after = client.get(url, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["product_id"], after.json["version"]) == (200, None, 2)
    assert after.json["updated_at"] > before.json["updated_at"]


def test_a_change_that_drops_the_product_is_counted_once(client):
    url = create(client, product_id=make_product(client)).headers["Location"]
    assert client.put(url, json={"product_id": None}).json["version"] == 2
