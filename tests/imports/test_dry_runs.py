"""A dry run tells and writes nothing; its commit applies what was staged and tells what changed meanwhile."""

import uuid

import pytest
from sqlalchemy import text

from catalog.extensions import db
from catalog.imports import service, storage, sweeping
from catalog.products import service as products
from tests.imports.conftest import counts

HEADER = "sku,name,price\n"
FILE = HEADER + "a,Lamp,6\nB,Desk,\nnew,New,3\nbad,,1\nnew,Newer,4\n"


@pytest.fixture
def rehearsed(importer):
    """A dry run of FILE over two products that are there."""
    products.create({"sku": "A", "name": "Lamp", "price": 5})
    products.create({"sku": "B", "name": "Desk"})
    import_id = importer.submit(FILE, dry_run="true")
    service.run(import_id)
    return import_id


def read(importer, import_id: uuid.UUID) -> dict:
    db.session.rollback()
    return importer.client.get(f"/api/v1/imports/{import_id}").json


def commit(importer, import_id: uuid.UUID) -> int:
    return importer.client.post(f"/api/v1/imports/{import_id}/commit").status_code


def tables(import_id: uuid.UUID) -> set[str]:
    with db.engine.connect() as connection:
        return set(
            connection.scalars(
                text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE :name"),
                {"name": f"import_{import_id.hex}%"},
            )
        )


def test_a_dry_run_counts_and_shows_the_first_differences_and_writes_nothing(importer, rehearsed):
    found = read(importer, rehearsed)
    assert found["state"] == "completed"
    assert found["dry_run"] == {
        **{"created": 1, "updated": 1, "unchanged": 1, "errors": 1},
        "differences": [{"line": 2, "sku": "A", "changed": {"price": {"from": 5.0, "to": 6.0}}}],
    }
    assert counts(importer.result(rehearsed)) == {
        **{"created": 1, "updated": 1, "unchanged": 1, "superseded": 1, "errors": 1}
    }
    assert [(one["sku"], one["version"]) for one in importer.products()] == [("A", 1), ("B", 1)]
    with db.engine.connect() as connection:
        assert not connection.scalar(text("SELECT count(*) FROM webhook_events WHERE name LIKE 'import.%'"))


def test_a_commit_applies_what_was_staged_and_tells_what_changed_meanwhile(importer, rehearsed):
    products.put_by_sku("b", {"name": "Table"})
    products.create({"sku": "NEW", "name": "Newer", "price": 4})
    db.session.rollback()
    storage.path_of(rehearsed).write_text(HEADER + "other,Other,1\n")  # not looked at again below the header
    assert commit(importer, rehearsed) == 202
    assert read(importer, rehearsed)["state"] == "pending"
    service.run(rehearsed)
    found = read(importer, rehearsed)
    assert found["state"] == "completed"
    assert {name: found[name] for name in ("created", "updated", "unchanged", "superseded", "rejected")} == {
        **{"created": 0, "updated": 2, "unchanged": 1, "superseded": 1, "rejected": 1}
    }
    assert found["dry_run"]["created"] == 1
    assert found["changed_meanwhile"] == {
        "count": 2,
        "products": [
            {"line": 3, "sku": "B", "version_then": 1, "version_now": 2},
            {"line": 6, "sku": "new", "version_then": None, "version_now": 1},
        ],
    }
    assert {sku: one["name"] for sku, one in importer.by_sku().items()} == {"A": "Lamp", "B": "Desk", "NEW": "Newer"}
    assert not tables(rehearsed)
    with db.engine.connect() as connection:
        names = connection.scalars(text("SELECT name FROM webhook_events WHERE name LIKE 'import.%' ORDER BY name"))
        assert list(names) == ["import.completed", "import.started"]


def test_only_a_finished_dry_run_is_committed_and_only_once(importer, rehearsed):
    plain = importer.submit(FILE)
    waiting = importer.submit(FILE, dry_run="true")
    assert [commit(importer, one) for one in (plain, waiting, uuid.uuid4())] == [409, 409, 404]
    service.run(plain)
    assert commit(importer, plain) == 409
    assert commit(importer, rehearsed) == 202
    assert commit(importer, rehearsed) == 409
    service.run(rehearsed)
    assert commit(importer, rehearsed) == 409


def test_what_was_staged_is_kept_for_a_day_and_then_refused(importer, rehearsed):
    sweeping.drop_leftover_tables()
    assert len(tables(rehearsed)) == 2
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE imports SET finished_at = now() - interval '25 hours'"))
    sweeping.drop_leftover_tables()
    assert not tables(rehearsed)
    assert commit(importer, rehearsed) == 409


@pytest.mark.parametrize(
    ("mode", "rehearsal", "outcome"),
    [
        ("create_only", {"created": 1, "superseded": 1, "errors": 3}, {"created": 1, "superseded": 1, "errors": 3}),
        (
            "update_only",
            {"updated": 1, "unchanged": 1, "superseded": 1, "errors": 2},
            {"updated": 1, "unchanged": 1, "superseded": 1, "errors": 2},
        ),
    ],
)
def test_rows_that_the_mode_refuses_are_told_by_the_dry_run_and_again_by_its_commit(importer, mode, rehearsal, outcome):
    products.create({"sku": "A", "name": "Lamp", "price": 5})
    products.create({"sku": "B", "name": "Desk"})
    import_id = importer.submit(FILE, dry_run="true", mode=mode)
    service.run(import_id)
    assert counts(importer.result(import_id)) == rehearsal
    assert len(importer.result(import_id)["error_details"]) == rehearsal["errors"]
    assert commit(importer, import_id) == 202
    service.run(import_id)
    assert counts(importer.result(import_id)) == outcome
    assert len(importer.result(import_id)["error_details"]) == outcome["errors"]
