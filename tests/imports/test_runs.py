"""What imports do to the products, and what they report."""

import csv
import gzip
import io
from decimal import Decimal
from threading import Thread

import pytest
from sqlalchemy import text

from catalog.extensions import db
from catalog.imports import loading, running, service
from tests.imports.conftest import counts
from tests.processes import wait_for

HEADER = "sku,name,description,active,price,stock_quantity,category,image,rating_rate,rating_count\n"


def test_all_fields_are_written(importer):
    row = 'Ab-1,"Lamp, ""big""","two\nlines",No,39.90,5,Light,https://a.b/c.jpg,4.5,120\n'
    assert counts(importer.run(HEADER + row)) == {"created": 1}
    products = importer.products()
    assert products[0].pop("number") > 0
    assert products == [
        {
            "sku": "Ab-1",
            "name": 'Lamp, "big"',
            "description": "two\nlines",
            "active": False,
            "price": Decimal("39.90"),
            "stock_quantity": 5,
            "category": "Light",
            "image": "https://a.b/c.jpg",
            "rating_rate": Decimal("4.50"),
            "rating_count": 120,
            "version": 1,
        }
    ]


def test_empty_cells_of_a_new_product_are_the_defaults(importer):
    assert counts(importer.run(HEADER + "A,One,,,,,,,,\n")) == {"created": 1}
    (product,) = importer.products()
    assert (product["active"], product["stock_quantity"], product["price"]) == (True, 0, None)


def test_the_same_file_again_changes_nothing_and_uses_up_no_numbers(importer):
    content = "sku,name,price\n" + "".join(f"S{i},Name {i},{i}.50\n" for i in range(1, 40))
    importer.run(content)
    before = importer.products()
    assert counts(importer.run(content)) == {"unchanged": 39}
    assert importer.products() == before
    importer.run("sku,name\nnew,New\n")
    assert importer.by_sku()["new"]["number"] == 40


def test_a_change_keeps_number_and_case_and_makes_a_version(importer):
    importer.run("sku,name,price\nAbC,One,1\nB,Two,2\n")
    assert counts(importer.run("sku,name\naBc,Uno\nb,Two\n")) == {"updated": 1, "unchanged": 1}
    changed = importer.by_sku()["AbC"]
    assert (changed["name"], changed["price"], changed["number"], changed["version"]) == ("Uno", 1, 1, 2)


@pytest.mark.parametrize(("empty", "kept"), [("keep", True), ("clear", False)])
def test_an_empty_cell_keeps_or_clears(importer, empty, kept):
    importer.run(HEADER + "A,One,Text,no,9.99,7,Cat,http://a,4,3\n")
    before = importer.by_sku()["A"]
    result = importer.run(HEADER + "A,One,,,,,,,,\n", empty=empty)
    after = importer.by_sku()["A"]
    if kept:
        assert (counts(result), after) == ({"unchanged": 1}, before)
    else:
        assert counts(result) == {"updated": 1}
        cleared = {"description", "price", "category", "image", "rating_rate", "rating_count"}
        assert {name for name, value in after.items() if value is None} == cleared
        assert (after["active"], after["stock_quantity"]) == (True, 0)


def test_a_column_that_is_not_in_the_file_is_left_alone(importer):
    importer.run(HEADER + "A,One,Text,no,9.99,7,Cat,http://a,4,3\n")
    importer.run("sku,name\nA,Uno\n", empty="clear")
    assert importer.by_sku()["A"]["price"] == Decimal("9.99")


def test_the_last_of_a_sku_wins_and_the_earlier_lines_are_named(importer, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_ROWS", 2)
    result = importer.run("sku,name\na,1\nb,1\nc,1\nA ,2\nÄ,1\nä,2\n a,3\nb,bad\0\n")
    assert counts(result) == {"created": 4, "superseded": 3, "errors": 1}
    assert {sku: row["name"] for sku, row in importer.by_sku().items()} == {"a": "3", "b": "1", "c": "1", "ä": "2"}
    assert result["superseded_details"] == [
        {"row": 2, "sku": "a", "superseded_by": 8},
        {"row": 5, "sku": "A", "superseded_by": 8},
        {"row": 6, "sku": "Ä", "superseded_by": 7},
    ]


def test_rejected_rows_are_reported_with_line_field_and_reason(importer):
    result = importer.run('sku,name,price\nA,"x\ny",1\nB,Two,NaN\nC,"open\nD,Four,4\nE,Five\n')
    assert counts(result) == {"created": 2, "errors": 3}
    assert result["total_rows"] == result["processed_rows"] == 5
    assert [(row["row"], row["field"], row["code"]) for row in result["error_details"]] == [
        (4, "price", "invalid"),
        (5, "row", "quoting"),
        (7, "row", "ragged"),
    ]
    assert result["error_details"][0]["data"] == {"sku": "B", "name": "Two", "price": "NaN"}


def test_create_only_refuses_what_exists(importer):
    importer.run("sku,name\nA,One\n")
    result = importer.run("sku,name\na,Uno\nB,Two\n", mode="create_only")
    assert counts(result) == {"created": 1, "errors": 1}
    (row,) = result["error_details"]
    assert (row["row"], row["field"], row["code"], row["data"]) == (2, "sku", "exists", {"sku": "a", "name": "Uno"})
    assert importer.by_sku()["A"]["name"] == "One"


def test_update_only_refuses_what_is_missing(importer):
    importer.run("sku,name,stock_quantity\nA,One,5\nC,Three,3\n")
    result = importer.run("sku,name,stock_quantity\na,Uno,\nB,Two,1\nc,Three,3\n", mode="update_only")
    assert counts(result) == {"updated": 1, "unchanged": 1, "errors": 1}
    assert (result["error_details"][0]["row"], result["error_details"][0]["code"]) == (3, "not_found")
    assert importer.by_sku()["A"]["name"] == "Uno"
    assert importer.by_sku()["A"]["stock_quantity"] == 5
    assert set(importer.by_sku()) == {"A", "C"}


@pytest.mark.parametrize(
    ("mode", "row", "code"),
    [("upsert", "Z,", "invalid"), ("create_only", "B,Two", "exists"), ("update_only", "Z,x", "not_found")],
)
def test_stopping_on_errors_applies_nothing_at_all(importer, monkeypatch, mode, row, code):
    monkeypatch.setattr(loading, "CHUNK_ROWS", 1)
    importer.run("sku,name\nB,Two\n")
    before = importer.products()
    good = "B,Changed" if mode == "update_only" else "A,One"
    result = importer.run(f"sku,name\n{good}\n{row}\n", on_error="abort", mode=mode)
    assert (result["status"], counts(result)) == ("failed", {"errors": 1})
    assert [(detail["row"], detail["code"]) for detail in result["error_details"]] == [(3, code)]
    assert importer.products() == before


def test_stopping_on_errors_without_errors_applies_all(importer, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_ROWS", 1)
    assert counts(importer.run("sku,name\nA,One\nB,Two\n", on_error="abort")) == {"created": 2}
    assert len(importer.products()) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso8859-1"])
@pytest.mark.parametrize(("name", "delimiter"), [("p.csv", ";"), ("p.tsv", "\t"), ("p.csv.gz", "|")])
def test_encodings_delimiters_and_packed_files_are_read(importer, encoding, name, delimiter):
    content = f"SKU {delimiter}Title\rÄ{delimiter}Größe\r".encode(encoding)
    result = importer.run(gzip.compress(content) if name.endswith(".gz") else content, name, encoding="iso8859-1")
    assert counts(result) == {"created": 1}
    assert importer.by_sku()["Ä"]["name"] == "Größe"


def test_unknown_columns_are_ignored_and_named(importer):
    result = importer.run("colour,sku,Size,name\nred,A,9,One\n")
    assert (counts(result), result["ignored_columns"]) == ({"created": 1}, ["colour", "size"])


MANY = b"sku,name\n" + b"".join(b"A%d,One\n" % number for number in range(50_000))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (MANY + b"B,\xff\n", "p.csv", f"Line 50002, byte {len(MANY) + 3}: 0xff"),
        (gzip.compress(MANY, mtime=0)[:-9], "p.csv.gz", "cut off"),
        (gzip.compress(b"sku,name\n" + b"A,One\n" * (4 << 20), mtime=0), "p.csv.gz", "unpacks to more"),
    ],
    ids=["encoding", "cut gzip", "bomb"],
)
def test_a_file_that_turns_out_wrong_fails_in_clear_words(importer, content, name, message):
    result = importer.run(content, name)
    assert result["status"] == "failed"
    assert message in result["error"]
    assert importer.products() == []


def test_a_file_that_is_gone_fails_in_clear_words(importer):
    import_id = importer.submit("sku,name\nA,One\n")
    running.storage.remove([import_id])
    service.run(import_id)
    assert importer.result(import_id)["error"] == "The uploaded file is gone from the server."


def test_the_file_of_refused_rows_is_complete_and_can_be_imported_again(importer):
    rows = "".join(f'K{i},"a\nb",-1\n' for i in range(150))
    import_id = importer.submit("sku,name,price\n" + rows + 'X,nul\0,1\nY,short\nZ,"open\n')
    service.run(import_id)
    response = importer.client.get(f"/api/v1/imports/{import_id}/errors.csv")
    table = list(csv.reader(io.StringIO(response.text, newline="")))
    assert response.mimetype == "text/csv"
    assert table[0] == ["_line", "_field", "_error", "sku", "name", "price"]
    assert len(table) == 1 + 150 + 3
    assert table[1] == ["2", "price", "Must be greater than 0.", "K0", "a\nb", "'-1"]  # as exports write it
    assert table[-3][3:] == ["X", "nul\0", "1"]
    assert table[-2][:2] + table[-2][3:] == ["303", "row", "Y", "short"]
    mended = response.text.replace("'-1", "1").replace("\0", "")
    assert counts(importer.run(mended)) == {"created": 151, "errors": 2}


def test_rows_changed_by_others_while_a_chunk_waits_come_out_right(importer, app):
    """An empty stock cell keeps what another transaction has just written, and its new row is seen."""
    importer.run("sku,name,stock_quantity\nA,One,5\nB,Two,5\n")
    import_id = importer.submit("sku,name,stock_quantity\nA,Uno,\nB,Due,\nC,Tre,\n")

    def run():
        with app.app_context():
            service.run(import_id)

    with db.engine.begin() as other:
        other.execute(text("UPDATE products SET stock_quantity = 77 WHERE sku = 'A'"))
        other.execute(text("DELETE FROM products WHERE sku = 'B'"))
        other.execute(text("INSERT INTO products (sku, name, stock_quantity) VALUES ('c', 'Three', 9)"))
        thread = Thread(target=run)
        thread.start()
        wait_for_a_lock()
    thread.join()
    assert counts(importer.result(import_id)) == {"created": 1, "updated": 2}
    found = {sku: (row["name"], row["stock_quantity"]) for sku, row in importer.by_sku().items()}
    assert found == {"A": ("Uno", 77), "B": ("Due", 0), "c": ("Tre", 9)}


def wait_for_a_lock() -> None:
    """Wait until some connection waits for another's lock, for ten seconds at most."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
        wait_for(
            lambda: watcher.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_catalog"
                )
            )
        )


def test_nothing_is_left_of_the_staged_rows(importer):
    importer.run("sku,name\nA,One\n")
    assert db.session.scalars(text("SELECT relname FROM pg_class WHERE relname LIKE 'import\\_%32%'")).all() == []
