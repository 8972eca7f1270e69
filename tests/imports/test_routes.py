"""The answers of the endpoints, to the letter."""

import uuid

import pytest

from catalog.imports import service

CONTENT = "sku,name,price\nA,One,1\na,Uno,2\nB,Two,NaN\n"


def test_an_import_from_submission_to_its_end(importer):
    get = importer.client.get
    import_id = importer.submit(CONTENT)
    status = get(f"/api/v1/products/upload/{import_id}/status").json
    assert status == {
        "task_id": str(import_id),
        "state": "Pending",
        "progress_percent": 0,
        "current": 0,
        "total": 0,
        "created": 0,
        "updated": 0,
        "errors": 0,
        "message": "Waiting for a worker",
        "error": None,
    }
    assert get(f"/api/v1/products/import/{import_id}/progress").json["status"] == "PENDING"
    assert get(f"/api/v1/products/import/{import_id}/result").json == {
        "status": "PENDING",
        "task_id": str(import_id),
        "result": None,
    }
    service.run(import_id)
    status = get(f"/api/v1/products/upload/{import_id}/status").json
    assert (status["state"], status["progress_percent"], status["current"], status["total"]) == ("Completed", 100, 3, 3)
    raw = get(f"/api/v1/products/import/{import_id}/progress").json
    assert (raw["status"], raw["percent"], raw["errors"]) == ("SUCCESS", 100, 1)
    answer = get(f"/api/v1/products/import/{import_id}/result").json
    assert (answer["status"], answer["task_id"]) == ("SUCCESS", str(import_id))
    assert answer["result"] == {
        "status": "completed",
        "message": "1 created, 0 updated, 0 unchanged, 1 superseded, 1 rejected",
        "total_rows": 3,
        "processed_rows": 3,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "superseded": 1,
        "errors": 1,
        "error": None,
        "error_details": [
            {
                "row": 4,
                "field": "price",
                "code": "invalid",
                "error": "price: Not a valid number.",
                "data": {"sku": "B", "name": "Two", "price": "NaN"},
            }
        ],
        "superseded_details": [{"row": 2, "sku": "A", "superseded_by": 3}],
        "ignored_columns": [],
    }


def test_everything_known_about_an_import(importer):
    import_id = importer.submit("colour," + CONTENT.replace("\n", "\nred,", 3), "p.csv", mode="create_only")
    service.run(import_id)
    answer = importer.client.get(f"/api/v1/imports/{import_id}").json
    assert answer["options"] == {
        "mode": "create_only",
        "on_error": "skip",
        "empty": "keep",
        "events": "summary",
        "delimiter": None,
        "encoding": None,
        "mapping": None,
        "mapping_name": None,
        "dry_run": False,
        "sheet": None,
    }
    assert (answer["filename"], answer["encoding"], answer["state"]) == ("p.csv", "utf-8", "completed")
    assert (answer["header"], answer["ignored_columns"]) == (["colour", "sku", "name", "price"], ["colour"])
    assert answer["finished_at"].endswith("Z")


def test_the_history_is_paged_and_the_latest_comes_first(importer):
    ids = [str(importer.submit(CONTENT)) for _ in range(3)]
    page = importer.client.get("/api/v1/imports?limit=2").json
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    assert (page["total"], page["has_more"]) == (3, True)
    last = importer.client.get("/api/v1/imports?limit=2&offset=2").json
    assert ([item["id"] for item in last["items"]], last["has_more"]) == ([ids[0]], False)
    assert importer.client.get("/api/v1/imports?limit=-1").status_code == 400


PATHS = [
    "/api/v1/products/upload/{}/status",
    "/api/v1/products/import/{}/progress",
    "/api/v1/products/import/{}/result",
    "/api/v1/imports/{}",
    "/api/v1/imports/{}/errors.csv",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("import_id", ["01a1fbec-f136-79af-9431-a7f8cdc589ee", "7"])
def test_an_unknown_import_is_not_found(client, path, import_id):
    response = client.get(path.format(import_id))
    assert (response.status_code, response.json["code"]) == (404, "not_found")


def test_cancelling_an_unknown_import_is_not_found(client):
    assert client.delete(f"/api/v1/imports/{uuid.uuid4()}").status_code == 404
