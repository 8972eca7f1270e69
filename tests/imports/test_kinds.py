"""JSON Lines and Excel files go the way of CSV: the same rules, counts and refusals, by line."""

import gzip
import io
import json
import zipfile
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from catalog.imports import service
from tests.imports import workbooks
from tests.imports.conftest import counts


def book(*rows, **sheets) -> bytes:
    """Return an .xlsx with a first sheet of these rows, and further sheets by name."""
    made = Workbook()
    for row in rows:
        made.active.append(row)
    for name, others in sheets.items():
        sheet = made.create_sheet(name)
        for row in others:
            sheet.append(row)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def errors(importer, import_id) -> list[tuple[int, str, str]]:
    return [(one["row"], one["field"], one["code"]) for one in importer.result(import_id)["error_details"]]


def lines(*values) -> str:
    return "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values)


def test_json_lines_are_read_with_the_types_of_the_api_and_a_broken_line_costs_only_itself(importer):
    content = lines(
        {"sku": "A", "name": "=1", "price": 5, "active": False, "rating": {"rate": 4.5, "count": 2}},
        {"sku": "B", "title": "Desk", "price": "5"},
        "{broken",
        "",
        {"sku": "C", "name": "Chair", "stock_quantity": 1.5},
        [1],
        {"sku": "D", "name": "Door", "active": "yes", "colour": "red"},
        {"sku": "E", "name": "'=1", "stock_quantity": 2.0, "description": None, "price": 1e2},
        {"sku": "F", "name": 7},
        '{"sku": "G", "name": "x", "price": 1e399}',
        {"sku": "H", "name": "Bad rating", "rating": 5},
        {"name": "No SKU"},
        '{"sku": "I", "name": "twice", "name": "twice"}',
        '{"sku": "J", "name": "x", "price": 1e999999999}',
    )
    import_id = importer.submit(content, "p.jsonl")
    service.run(import_id)
    assert errors(importer, import_id) == [
        (2, "price", "invalid"),
        (3, "row", "json"),
        (5, "stock_quantity", "invalid"),
        (6, "row", "json"),
        (7, "active", "invalid"),
        (9, "name", "invalid"),
        (10, "price", "invalid"),
        (11, "rating_rate", "invalid"),
        (12, "sku", "invalid"),
        (13, "row", "json"),
        (14, "row", "json"),
    ]
    found = importer.by_sku()
    assert {sku: one["name"] for sku, one in found.items()} == {"A": "=1", "E": "'=1"}
    assert (found["A"]["active"], float(found["A"]["rating_rate"]), found["E"]["stock_quantity"]) == (False, 4.5, 2)
    assert float(found["E"]["price"]) == 100
    assert importer.result(import_id)["ignored_columns"] == ["colour"]


def test_the_refused_lines_come_back_as_a_file_that_can_be_mended_and_imported(importer):
    import_id = importer.submit(lines({"sku": "A", "name": "a\nb", "price": "5"}), "p.jsonl")
    service.run(import_id)
    refused = importer.client.get(f"/api/v1/imports/{import_id}/errors.csv").text
    assert refused.startswith("_line,_field,_error,sku,name,description,")
    assert counts(importer.run(refused)) == {"created": 1}
    assert importer.by_sku()["A"]["name"] == "a\nb"


def test_json_lines_may_be_packed_and_may_have_a_byte_order_mark(importer):
    content = gzip.compress("\ufeff".encode() + lines({"sku": "A", "name": "é"}).encode())
    assert counts(importer.run(content, "p.jsonl.gz")) == {"created": 1}


@pytest.mark.parametrize("content", ["\n\n", "\ufeff\n"])
def test_json_lines_without_a_line_are_refused_at_once(importer, content):
    answer = importer.upload(content, "p.jsonl")
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (400, "empty")


def test_a_sheet_is_read_as_it_is_shown(importer):
    content = book(
        ["SKU", "Title", "price", "active", "stock_quantity", "description", "note"],
        [12.0, "Lamp", 19.990000000000002, True, 3, datetime(2026, 1, 2), None],  # noqa: DTZ001
        [],
        ["A-1", "=1+1", None, None, 2.5],
        ["A-2", "'=guarded", 5, "no", None, date(2026, 1, 2), "x", "too", "many"],
        ["A-3", "'=guarded", 5, "no", None, "12:30"],
    )
    import_id = importer.submit(content, "Products.XLSX")
    service.run(import_id)
    assert errors(importer, import_id) == [(4, "name", "no_result"), (5, "row", "ragged")]
    found = importer.by_sku()
    lamp = found["12"]
    assert (float(lamp["price"]), lamp["active"], lamp["stock_quantity"]) == (19.99, True, 3)
    assert (lamp["description"], found["A-3"]["name"], found["A-3"]["active"]) == ("2026-01-02", "=guarded", False)
    assert importer.result(import_id)["ignored_columns"] == ["note"]


def test_a_sheet_may_be_named(importer):
    content = book(["nothing"], Goods=[["sku", "name"], ["A", "Lamp"]])
    assert counts(importer.run(content, "p.xlsx", sheet="Goods")) == {"created": 1}
    assert importer.upload(content, "p.xlsx").json["errors"][0]["code"] == "bad_header"
    answer = importer.upload(content, "p.xlsx", sheet="Other")
    assert answer.json["errors"][0]["field"] == "sheet"
    assert "Sheet, Goods" in answer.json["errors"][0]["message"]


def zipped(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """Return an .xlsx with one of its parts replaced."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {one: file.read(one) for one in file.namelist()}
    return zipped(**{**parts, name: part})


GOOD = book(["sku", "name"], ["A", "Lamp"])
SHARED = workbooks.book(workbooks.HEADER, workbooks.row("A", '<c t="s"><v>0</v></c>'), sst=workbooks.strings("Lamp"))
BOMB = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>"


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"PK\x03\x04" + bytes(100), 400, "damaged"),
        (GOOD[:-30], 400, "damaged"),
        (zipped(a=b"x"), 400, "damaged"),
        (with_part(GOOD, "xl/workbook.xml", BOMB), 400, "damaged"),
        (with_part(GOOD, "xl/worksheets/sheet1.xml", bytes(200 << 20)), 413, "unpacks to more"),
        (with_part(SHARED, "xl/sharedStrings.xml", bytes((64 << 20) + 1)), 413, "unpacks to more"),
        (b"sku,name\nA,Lamp\n", 415, "no .xlsx file"),
        (book(["sku", "name"]), 400, "no rows"),
        (book(["name"], ["A"]), 400, "no column sku"),
    ],
)
def test_a_bad_workbook_is_refused_in_clear_words(importer, content, status, message):
    answer = importer.upload(content, "p.xlsx")
    problem = answer.json
    assert answer.status_code == status
    assert message in (problem["errors"][0]["message"] if "errors" in problem else problem["detail"])


def test_what_a_sheet_claims_of_its_size_is_not_believed(importer):
    with zipfile.ZipFile(io.BytesIO(GOOD)) as file:
        sheet = file.read("xl/worksheets/sheet1.xml")
    claimed = sheet.replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"')
    assert claimed != sheet
    assert counts(importer.run(with_part(GOOD, "xl/worksheets/sheet1.xml", claimed), "p.xlsx")) == {"created": 1}


def test_a_mapping_names_the_columns_of_a_spreadsheet_and_changes_its_cells(importer):
    content = book(["Artikel", "Titel", "Preis"], ["A", "  DESK lamp", "1.234,50"], ["B", "Chair", "viel"])
    columns = {"Artikel": "sku", "Titel": ["name", "strip", "title_case"], "Preis": ["price", "parse_number:de"]}
    result = importer.run(content, "p.xlsx", mapping=json.dumps(columns))
    assert counts(result) == {"created": 1, "errors": 1}
    assert importer.by_sku()["A"]["name"] == "Desk Lamp"
    assert [(one["row"], one["field"]) for one in result["error_details"]] == [(3, "price")]


def test_a_mapping_that_fails_on_all_first_rows_of_a_spreadsheet_is_refused_at_once(importer):
    content = book(["sku", "name", "price"], ["A", "Lamp", "viel"])
    refused = importer.upload(content, "p.xlsx", mapping='{"price": ["price", "parse_number:de"]}')
    assert refused.status_code == 400
    assert "Line 2, column price" in refused.json["errors"][0]["message"]


def test_json_lines_take_no_mapping(importer):
    refused = importer.upload(lines({"sku": "A", "name": "Lamp"}), "p.jsonl", mapping='{"sku": "sku"}')
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "mapping")
