"""Files whose columns are not ours: a mapping names them and changes their cells."""

import csv
import io
import json
from decimal import Decimal

import pytest
from sqlalchemy import text

from catalog.errors import ValidationFailed
from catalog.extensions import db
from catalog.imports import mapping, service
from catalog.imports.reader import read_header
from tests.imports.conftest import counts

MAPPING = {"Artikel": "sku", "Titel": ["name", "strip", "title_case"], "Preis": ["price", "parse_number:de"]}
CONTENT = "Artikel;Titel;Preis\nA-1;  DESK lamp ;1.234,50\nA-2;chair;9,99\n"


def as_json(document) -> str:
    return json.dumps(document)


def test_columns_are_named_and_their_cells_changed(importer):
    result = importer.run(CONTENT, mapping=as_json(MAPPING))
    products = importer.by_sku()
    assert counts(result) == {"created": 2}
    assert (products["A-1"]["name"], products["A-1"]["price"]) == ("Desk Lamp", Decimal("1234.50"))
    assert (products["A-2"]["name"], products["A-2"]["price"]) == ("Chair", Decimal("9.99"))


def test_a_plain_mapping_only_names_columns(importer):
    result = importer.run("No,Name,price\nA,One,1\n", mapping='{" no": "sku"}')
    assert counts(result) == {"created": 1}
    assert importer.by_sku()["A"]["name"] == "One"


def test_what_a_mapping_does_not_name_is_found_as_always_or_ignored(importer):
    content = "Artikel,TITLE,Preis,Farbe,stock_quantity\nA,lamp,5,red,7\n"
    result = importer.run(content, mapping='{"Artikel": "sku", "Preis": "price"}')
    assert importer.by_sku()["A"]["stock_quantity"] == 7
    assert result["ignored_columns"] == ["farbe"]


def test_a_mapping_goes_before_what_a_name_would_mean(importer):
    content = "sku,title,label\nA,ignored,Lamp\n"
    refused = importer.upload(content, mapping='{"label": "name"}')
    assert "title and label are the same field" in refused.json["errors"][0]["message"]
    importer.run(content, mapping='{"label": "name", "title": "description"}')
    assert (importer.by_sku()["A"]["name"], importer.by_sku()["A"]["description"]) == ("Lamp", "ignored")


def test_a_row_on_which_a_transform_fails_is_rejected_with_its_name(importer):
    content = CONTENT + "A-3;Table;cheap\nA-4;Sofa;1.5\n"
    import_id = importer.submit(content, mapping=as_json(MAPPING))
    service.run(import_id)
    result = importer.result(import_id)
    assert counts(result) == {"created": 2, "errors": 2}
    detail = result["error_details"][0]
    assert (detail["row"], detail["field"], detail["code"]) == (4, "price", "transform")
    assert "The transform `parse_number` failed: 'cheap' is not a number in the style de." in detail["error"]
    assert detail["data"] == {"Artikel": "A-3", "Titel": "Table", "Preis": "cheap"}
    rows = list(csv.DictReader(io.StringIO(importer.client.get(f"/api/v1/imports/{import_id}/errors.csv").text)))
    assert [(row["_line"], row["_field"], row["Preis"]) for row in rows] == [
        ("4", "price", "cheap"),
        ("5", "price", "1.5"),
    ]
    assert "`parse_number`" in rows[1]["_error"]


def test_what_the_transforms_make_is_checked_as_any_row(importer):
    content = "sku,name,price\nA,One,1.005\nB,Two,2\n"
    result = importer.run(content, mapping='{"price": ["price", "multiply:1"]}')
    assert counts(result) == {"created": 1, "errors": 1}
    assert result["error_details"][0]["error"] == "price: At most 2 decimals."


def test_an_empty_cell_stays_empty(importer):
    mapping = '{"price": ["price", "parse_number:de"], "category": ["category", "default_if_empty:Other"]}'
    assert counts(importer.run("sku,name,price,category\nA,One,,\n", mapping=mapping)) == {"created": 1}
    assert (importer.by_sku()["A"]["price"], importer.by_sku()["A"]["category"]) == (None, "Other")


def test_a_row_of_another_width_is_rejected_before_any_transform(importer):
    result = importer.run(CONTENT + "A-3;x\n", mapping=as_json(MAPPING))
    assert [(row["row"], row["code"]) for row in result["error_details"]] == [(4, "ragged")]


REFUSED = [
    ("[1]", "mapping", "Must be an object"),
    ("{}", "mapping", "Must be an object"),
    ("{", "mapping", "Must be a JSON object"),
    ('{"a": "sku", "a": "name"}', "mapping", "occurs twice"),
    ('{"a\\u0000": "sku"}', "mapping", "NUL"),
    ('{"a": ["sku", "strip:\\ud800"]}', "mapping", "Must be a JSON object"),
    ('{"a": ["sku", ["add", 1e399]]}', "mapping.a", "30 digits"),
    ('{"a": ["sku", ["add", 1e999999]]}', "mapping", "exponent"),
    ('{"a": ["sku", ["add", NaN]]}', "mapping", "NaN"),
    ('{"Preis": "cost"}', "mapping.Preis", "'cost' is none of the fields"),
    ('{"Preis": 7}', "mapping.Preis", "7 is none of the fields"),
    ('{"Preis": ["price", "nope"]}', "mapping.Preis", "There is no transform `nope`"),
    ('{"Preis": ["price", "parse_number:xx"]}', "mapping.Preis", "parse_number:xx: style: Must be one of: en"),
    ('{"Preis": ["price", "round_to:1:2"]}', "mapping.Preis", "Takes at most 2"),
    ('{"Preis": ["price", "add"]}', "mapping.Preis", "other: Missing argument."),
    ('{"Preis": ["price", {"strip": 1}]}', "mapping.Preis", 'Must be "name:argument"'),
    ('{"Titel": "name", "Preis": "name"}', "mapping.Preis", "cannot both be the field name"),
    ('{"Preis": "price", "preis": "sku"}', "mapping.preis", "named twice"),
    ('{"Artikel": "sku", "Titel": "name", "Farbe": "category"}', "mapping.Farbe", "no such column"),
    ('{"Artikel": "sku"}', "file", "no column name"),
    (
        '{"Artikel": "sku", "Titel": "name", "Preis": ["price", "parse_number:ch"]}',
        "mapping.Preis",
        "Line 2, column Preis: The transform `parse_number` failed: '1.234,50'",
    ),
]


@pytest.mark.parametrize(("given", "field", "message"), REFUSED)
def test_a_wrong_mapping_is_refused_at_the_upload(importer, given, field, message):
    answer = importer.upload(CONTENT, mapping=given)
    assert (answer.status_code, answer.json["code"]) == (400, "validation_error")
    assert answer.json["errors"][0]["field"] == field
    assert message in answer.json["errors"][0]["message"]
    assert db.session.scalar(text("SELECT count(*) FROM imports")) == 0


def test_a_file_larger_than_its_head_is_tried_out_by_its_first_rows(importer):
    content = "sku,name,price\n" + "".join(f"S{n},Name {n},{n}\n" for n in range(10_000))
    refused = importer.upload(content, mapping='{"name": ["name", "parse_bool"]}')
    assert refused.json["errors"][0]["field"] == "mapping.name"
    assert importer.upload(content, mapping='{"price": ["price", "round_to:2"]}').status_code == 202


def test_without_transforms_rows_take_the_usual_way():
    columns = mapping.read({"Artikel": "sku", "Titel": "name"})
    header = read_header("Artikel,Titel\n", None, mapping.renames(columns))
    assert type(mapping.checker(header, columns)) is mapping.Checker
    assert type(mapping.checker(header, [])) is mapping.Checker


def test_more_steps_than_anyone_needs_are_refused():
    with pytest.raises(ValidationFailed):
        mapping.read({"a": ["name", *["strip"] * (mapping.MAX_STEPS + 1)]})
