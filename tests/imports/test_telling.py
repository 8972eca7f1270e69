"""What webhooks are told of an import."""

import pytest
from sqlalchemy import text

from catalog.extensions import db
from catalog.imports import loading, running, service

FILE = "sku,name,price\nA,Lamp,5\nB,Desk,\nC,Chair,7.5\nD,,1\n"


@pytest.fixture
def told(importer):
    """Return the events so far, in the order they were written, and forget them."""

    def take():
        rows = db.session.execute(text("SELECT name, data FROM webhook_events ORDER BY id")).all()
        db.session.execute(text("DELETE FROM webhook_events"))
        db.session.commit()
        return [(row.name, row.data) for row in rows]

    return take


def test_a_summary_tells_of_the_start_and_the_end_and_is_the_default(importer, told):
    task = importer.submit(FILE)
    service.run(task)
    counts = {"created": 3, "updated": 0, "unchanged": 0, "errors": 1}
    assert told() == [
        ("import.started", {"task_id": str(task), "filename": "products.csv", "total_rows": 4}),
        ("import.completed", {"task_id": str(task), **counts}),
    ]


def test_none_tells_of_nothing(importer, told):
    importer.run(FILE, events="none")
    assert told() == []


def test_an_unknown_level_is_refused(importer):
    assert importer.upload(FILE, events="all").json["errors"][0]["field"] == "events"


def test_per_product_tells_of_each_product_as_the_api_would(importer, told):
    importer.run(FILE, events="per_product")
    events = told()
    assert [name for name, _ in events] == ["import.started", *["product.created"] * 3, "import.completed"]
    items = importer.client.get("/api/v1/products?sort=sku").json["items"]
    assert sorted((data for _, data in events[1:-1]), key=lambda data: data["sku"]) == items


def test_per_product_tells_what_changed_and_nothing_of_what_did_not(importer, told):
    importer.run(FILE, events="none")
    importer.run("sku,name,price\na,Lamp,5\nB,Desk 2,9\nE,Shelf,1\n", events="per_product")
    told_names = [(name, data.get("sku"), data.get("changed")) for name, data in told()[1:-1]]
    changed = {"name": {"from": "Desk", "to": "Desk 2"}, "price": {"from": None, "to": 9.0}}
    assert told_names == [("product.created", "E", None), ("product.updated", "B", changed)]


@pytest.mark.parametrize(
    ("mode", "name", "sku"), [("create_only", "product.created", "Z"), ("update_only", "product.updated", "A")]
)
def test_every_mode_tells(importer, told, mode, name, sku):
    importer.run(FILE, events="none")
    importer.run("sku,name\nA,New\nZ,New\n", mode=mode, events="per_product")
    assert [(event, data["sku"]) for event, data in told()[1:-1]] == [(name, sku)]


def test_what_an_aborted_import_rolls_back_is_not_told(importer, told):
    importer.run("sku,name\nA,Lamp\n", events="none")
    importer.run("sku,name\nA,New\nZ,New\n", mode="create_only", on_error="abort", events="per_product")
    assert [name for name, _ in told()] == ["import.started", "import.failed"]


def test_a_cancelled_import_has_failed(importer, told):
    task = importer.submit(FILE)
    importer.client.delete(f"/api/v1/imports/{task}")
    assert told() == [("import.failed", {"task_id": str(task), "error": "The import was cancelled."})]


def test_an_import_that_is_taken_up_again_tells_nothing_twice(importer, told, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_ROWS", 1)
    task = importer.submit(FILE, events="per_product")
    apply, applied = loading.Loader._apply, []

    def die_after_two(self, batch, *, atomic=False):
        if len(applied) == 2:
            raise KeyboardInterrupt
        apply(self, batch, atomic=atomic)
        applied.append(batch)

    with monkeypatch.context() as patch:
        patch.setattr(loading.Loader, "_apply", die_after_two)
        patch.setitem(importer.client.application.config, "IMPORT_LOADERS", 1)
        with pytest.raises(KeyboardInterrupt):
            service.run(task)
    db.session.execute(text("UPDATE imports SET lease_until = now() - interval '1 second'"))
    db.session.commit()
    service.run(task)
    names = [name for name, _ in told()]
    assert names == ["import.started", *["product.created"] * 3, "import.completed"]
    assert running.telling.level({}) == "summary"
