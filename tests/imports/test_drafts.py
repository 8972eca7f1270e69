"""Files that wait: kept, previewed, started, put away; and refused rows that become a file again."""

import os
import time
import uuid
from pathlib import Path

import pytest

from catalog.errors import Conflict, NotFound, UnsupportedMediaType, ValidationFailed
from catalog.imports import corrections, drafts, dry_run, service, storage
from catalog.imports.schemas import UploadOptionsSchema
from catalog.imports.upload import Upload

OPTIONS = UploadOptionsSchema()


def options(**given):
    return OPTIONS.load(given)


def upload(content, filename="products.csv"):
    with storage.new_part() as part:
        part.write(content if isinstance(content, bytes) else content.encode())
    return Upload(Path(part.name), filename, Path(part.name).stat().st_size, options())


@pytest.fixture
def waiting(importer):
    """Keep a file as a draft; what is left of it is removed."""
    taken = []
    for left in drafts.listing():
        drafts.discard(left.id)

    def keep(*args):
        taken.append(upload(*args))
        return drafts.keep(taken[-1])

    yield keep
    for one in taken:
        one.path.unlink(missing_ok=True)  # of a refused one, as `received()` does
    for draft in drafts.listing():
        drafts.discard(draft.id)


def test_a_draft_is_listed_found_and_put_away(waiting):
    draft = waiting("sku,name\nA,b\n")
    assert [one.id for one in drafts.listing()] == [draft.id]
    assert drafts.get(draft.id) == draft
    drafts.discard(draft.id)
    assert drafts.listing() == []
    assert not draft.path.exists()
    with pytest.raises(NotFound):
        drafts.get(draft.id)


def test_what_is_no_product_file_is_refused_at_once(waiting):
    with pytest.raises(UnsupportedMediaType):
        waiting("whatever", "picture.png")
    assert drafts.listing() == []


def test_a_draft_is_put_away_after_a_day(waiting):
    old, young = waiting("sku,name\nA,b\n"), waiting("sku,name\nB,b\n")
    for path in storage.folder("drafts").glob(f"{old.id}*"):
        os.utime(path, (time.time() - drafts.KEPT_SECONDS - 1,) * 2)
    drafts.prune()
    assert [one.id for one in drafts.listing()] == [young.id]


def test_the_preview_tells_delimiter_encoding_and_what_the_columns_seem_to_be(waiting):
    draft = waiting("Artikelnummer;Titel;Farbe\nA-1;Stühle;rot\n".encode("cp1252"))
    found = drafts.look(draft.id, options())
    assert (found.delimiter, found.encoding) == (";", "cp1252")
    assert {column.name: column.field for column in found.columns} == {
        "Artikelnummer": "sku",
        "Titel": "name",
        "Farbe": None,
    }
    assert found.document == {"Artikelnummer": "sku", "Titel": "name"}
    assert (found.missing, found.errors) == ([], [])
    assert [(row.line, row.error) for row in found.rows] == [(2, None)]


def test_the_preview_shows_cells_before_and_after_their_transforms_and_which_rows_would_be_refused(waiting):
    draft = waiting('sku,name,price\nA,b,"1.299,50"\nB,c,much\n')
    mapping = '{"price": ["price", "parse_number:de"]}'
    price = drafts.look(draft.id, options(mapping=mapping)).columns[2]
    assert price.steps == "parse_number:de"
    assert [(cell.before, cell.after) for cell in price.cells] == [("1.299,50", "1299.50"), ("much", "")]
    assert price.cells[1].error
    rows = drafts.look(draft.id, options(mapping=mapping)).rows
    assert rows[0].error is None
    assert "price" in rows[1].error


@pytest.mark.parametrize(
    ("content", "mapping", "missing", "code"),
    [
        ("Ware;Farbe\nx;y\n", None, ["sku", "name"], "bad_header"),
        ("sku,name\nA,b\n", '{"sku": "nothing"}', [], "unknown_field"),
        ("sku,name\nA,b\n", '{"other": "price"}', [], "no_column"),
        ("sku,name\nA,b\n", '{"name": ["name", "no_such"]}', [], "unknown_transform"),
    ],
)
def test_what_stands_in_the_way_is_in_the_preview(waiting, content, mapping, missing, code):
    found = drafts.look(waiting(content).id, options(mapping=mapping) if mapping else options())
    assert found.missing == missing
    assert [error["code"] for error in found.errors] == [code]


def test_json_lines_are_shown_with_the_apis_own_names(waiting):
    found = drafts.look(waiting('{"sku": "A", "name": "b", "price": 5}\n', "products.jsonl").id, options())
    assert not found.mappable
    assert found.encoding is None
    assert [cell.before for cell in found.columns[0].cells] == ["A"]


def test_a_started_draft_is_imported_and_gone_but_a_dry_run_leaves_it(waiting, importer):
    draft = waiting("sku,name\nA,b\n")
    rehearsed = drafts.start(draft.id, options(dry_run=True))
    service.run(rehearsed.id)
    assert importer.products() == []
    started = drafts.start(draft.id, options())
    service.run(started.id)
    assert [product["sku"] for product in importer.products()] == ["A"]
    with pytest.raises(NotFound):
        drafts.get(draft.id)


def test_a_draft_that_cannot_be_imported_so_is_left_for_another_try(waiting):
    draft = waiting("Ware;Farbe\nx;y\n")
    with pytest.raises(ValidationFailed):
        drafts.start(draft.id, options())
    assert drafts.get(draft.id) == draft
    assert not list(storage.folder("drafts").parent.glob("*.part"))


DIRTY = "sku,name,price\nA,Lamp,cheap\nB,Desk,5\nC,,7\n"


def dirty(importer, **given):
    import_id = importer.submit(DIRTY, **given)
    service.run(import_id)
    return import_id


def test_refused_rows_are_shown_with_the_place_of_what_is_wrong(importer):
    page = corrections.page(dirty(importer), 0)
    assert page["total"] == 2
    assert [(row["line"], row["cells"], row["places"]) for row in page["items"]] == [
        (2, ["A", "Lamp", "cheap"], [2]),
        (4, ["C", "", "7"], [1]),
    ]
    assert [row["line"] for row in corrections.page(page["import"].id, 2)["items"]] == [4]


def test_a_corrected_row_is_judged_as_the_import_would(importer):
    import_id = dirty(importer)
    assert corrections.judge(import_id, ["A", "Lamp", "9.50"]) is None
    assert corrections.judge(import_id, ["A", "", "9.50"])["field"] == "name"
    assert corrections.judge(import_id, ["A"])["field"] == "row"


def test_corrected_rows_alone_are_imported_again(importer):
    again = corrections.again(dirty(importer), {2: ["A", "Lamp", "9.50"]})
    service.run(again.id)
    result = importer.result(again.id)
    assert (result["total_rows"], result["created"], result["errors"]) == (1, 1, 0)
    assert [product["sku"] for product in importer.products()] == ["A", "B"]
    assert service.get(again.id).filename == "products-corrected.csv"


def test_a_corrected_row_goes_through_the_mapping_that_its_import_had(importer):
    mapping = '{"price": ["price", "parse_number:de"]}'
    import_id = importer.submit('sku,name,price\nA,Lamp,"1,5x"\nB,Desk,"2,5"\n', mapping=mapping)
    service.run(import_id)
    again = corrections.again(import_id, {2: ["A", "Lamp", "1,5"]})
    service.run(again.id)
    assert str(importer.products()[0]["price"]) == "1.50"


def test_all_refused_rows_become_a_draft_with_what_is_corrected_already(waiting, importer):
    draft = corrections.draft(dirty(importer), {4: ["C", "Chair", "7"]})
    assert draft.path.read_text().splitlines() == ["sku,name,price", "A,Lamp,cheap", "C,Chair,7"]


def test_rows_that_were_not_refused_cannot_be_corrected_and_cells_must_be_as_many(importer):
    import_id = dirty(importer)
    with pytest.raises(Conflict):
        corrections.again(import_id, {3: ["B", "Desk", "6"]})
    with pytest.raises(ValidationFailed):
        corrections.again(import_id, {2: ["A", "Lamp"]})
    with pytest.raises(NotFound):
        corrections.again(uuid.uuid4(), {2: ["A", "Lamp", "1"]})
    assert not list(storage.folder("drafts").parent.glob("*.part"))


def test_a_dry_runs_differences_are_looked_through_page_by_page(importer, monkeypatch):
    monkeypatch.setattr(dry_run, "PAGE", 2)
    importer.run("sku,name\n" + "".join(f"S-{number},Lamp\n" for number in range(5)))
    import_id = importer.submit("sku,name\n" + "".join(f"S-{number},Desk\n" for number in range(5)), dry_run="true")
    service.run(import_id)
    found, after = [], 0
    while after is not None:
        page = dry_run.page(service.get(import_id), after)
        found += [(one["line"], one["changed"]["name"]["to"]) for one in page["items"]]
        after = page["next"]
    assert found == [(line, "Desk") for line in range(2, 7)]
