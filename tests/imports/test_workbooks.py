"""Workbooks in the shapes that other programs write: the values that a spreadsheet shows, or an error of the row."""

import zipfile

import pytest

from catalog.imports import sources
from catalog.imports.files import BadFile
from tests.imports.conftest import counts
from tests.imports.workbooks import (
    HEADER,
    PRODUCT,
    STRICT,
    STRICT_OFFICE,
    book,
    cells,
    packed,
    parts,
    relationships,
    row,
    sheet,
    strings,
    styles,
    table,
    text,
    types,
    workbook,
    xml,
)

OK = [(2, ["OK1", "Lamp"])]


def number(value: object, style: int | None = None, kind: str = "") -> str:
    """Return a cell of a type with a stored value."""
    attributes = (f' s="{style}"' if style is not None else "") + (f' t="{kind}"' if kind else "")
    return f"<c{attributes}><v>{value}</v></c>"


def shown(tmp_path, *cell: str, **kwargs) -> list[str]:
    """Return what these cells become as the names of products."""
    rows = [row(f"S{place}", one) for place, one in enumerate(cell)]
    return [values[1] for _, values in cells(book(row("sku", "name"), *rows, **kwargs), tmp_path)]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("12", "12"), ("12.0", "12"), ("0", "0"), ("-0", "0"), ("007", "7"), ("1.50", "1.5"), (".5", "0.5"),
        ("5.", "5"),
        ("19.990000000000002", "19.99"),
        ("1E3", "1000"), ("1.5e-3", "0.0015"), ("1E+21", "1" + "0" * 21),
        ("-12.25", "-12.25"), ("123456789012345678", "123456789012345678"), (" 7 ", "7"), ("+5", "5"), ("1e-999", "0"),
    ],
)  # fmt: skip
def test_a_number_is_its_digits(tmp_path, stored, expected):
    assert shown(tmp_path, number(stored)) == [expected]


@pytest.mark.parametrize(
    ("code", "stored", "expected"),
    [
        ("00000", "123", "00123"), ("000000000000", "12345678905", "012345678905"), ("00000", "1234567", "1234567"),
        ("00000", "-123", "-00123"), ("00000", "1.5", "1.5"), ("00000;-00000;0", "7", "00007"), ("00", "0", "00"),
        ("00000_)", "123", "00123"), ("[Red]00000", "123", "00123"), ("#00000", "123", "00123"),
        ("000\\-000", "1234", "001-234"), ("00-00-00", "123", "00-01-23"), ("0000 0000", "12345", "0001 2345"),
        ("&quot;SKU-&quot;00000", "123", "SKU-00123"), ("00000\\-0000", "1234567890", "123456-7890"),
        ("[$-409]00000", "123", "00123"), ("[&lt;=99999]00000;00000\\-0000", "123", "00123"),
    ],
)  # fmt: skip
def test_leading_zeros_are_kept_that_the_number_format_shows(tmp_path, code, stored, expected):
    assert shown(tmp_path, number(stored, 1), style=styles(code)) == [expected]


@pytest.mark.parametrize(
    "code", ["0", "General", "@", "0.00", "#,##0.00", "0%", "0.00E+00", "&quot;€ &quot;0", "[$€-407] 0.00", "# ?/?",
             "00&quot; kg&quot;", "00.00", "0,000", "[Red]General", "&quot;d m y&quot;0", "_-* #,##0.00\\ _€_-", "\\d0"]
)  # fmt: skip
def test_other_number_formats_leave_the_number_as_it_is(tmp_path, code):
    assert shown(tmp_path, number("7.25", 1), number("5", 1), style=styles(code)) == ["7.25", "5"]


@pytest.mark.parametrize(
    ("code", "stored", "expected"),
    [
        (14, "46024", "2026-01-02"), (22, "46024.5", "2026-01-02T12:00:00"), (20, "0.520833333333333", "12:30:00"),
        (30, "46024", "2026-01-02"), (46, "1.5", "36:00:00"), ("yyyy\\-mm\\-dd", "46024", "2026-01-02"),
        ("[$-407]d\\. mmmm yyyy;@", "46024", "2026-01-02"), ("[h]:mm", "1.25", "30:00:00"),
        ("dd/mm/yy", "59", "1900-02-28"),
        ("dd/mm/yy", "61", "1900-03-01"), ("dd/mm/yy", "1", "1900-01-01"), ("YYYY/M/D", "2958465", "9999-12-31"),
        ("h:mm:ss", "46024.999994", "2026-01-02T23:59:59.482000"), ("&quot;on &quot;d.m.yyyy", "46024", "2026-01-02"),
    ],
)  # fmt: skip
def test_dates_are_known_by_their_number_format(tmp_path, code, stored, expected):
    assert shown(tmp_path, number(stored, 1), style=styles(code)) == [expected]


def test_dates_may_count_from_1904(tmp_path):
    found = parts(HEADER, row("A", number("44562", 1)), style=styles(14))
    found["xl/workbook.xml"] = workbook("S", properties='<workbookPr date1904="1"/>')
    assert cells(packed(found), tmp_path) == [(2, ["A", "2026-01-02"])]


def test_styles_and_types_of_cells(tmp_path):
    assert shown(
        tmp_path,
        number("1", kind="b"), number("0", kind="b"), number("2026-01-02T00:00:00", kind="d"),
        number("2026-01-02T10:30:00", kind="d"), number("=x", kind="str"), number("5", 99), number("5", style=None),
        '<c s="7"/>', "<c><v/></c>", number("\n", kind="n"), style=styles(14),
    ) == ["true", "false", "2026-01-02", "2026-01-02T10:30:00", "=x", "5", "5", "", "", ""]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("first_x000D_\nsecond", "first\r\nsecond"), ("_x005F_x000D_", "_x000D_"), ("a_x0009_b", "a\tb"),
        ("_xD83D__xDE00_", "\N{GRINNING FACE}"), ("a_xD83D_b", "a\N{REPLACEMENT CHARACTER}b"), ("_x00zz_", "_x00zz_"),
        ("<r><t>One</t></r><r><rPr><b/></rPr><t> two</t></r>", "One two"), ("<t/>", ""), ("&amp;&lt;&#228;", "&<ä"),
        ("<t>漢字</t><rPh sb='0' eb='2'><t>かんじ</t></rPh><phoneticPr fontId='1'/>", "漢字"),
        ("<t><![CDATA[<b>]]></t>", "<b>"),
    ],
)  # fmt: skip
def test_texts_are_read_with_their_escapes_and_runs_shared_or_inline(tmp_path, item, expected):
    inline = item if item.startswith("<") else f"<t>{item}</t>"
    given = number(0, kind="s"), f'<c t="inlineStr"><is>{inline}</is></c>', f"<c><is>{inline}</is></c>"
    assert shown(tmp_path, *given, sst=strings(item)) == [expected] * 3


PROBLEMS = {
    "an error": (number("#N/A", kind="e"), "name", "cell_error", "#N/A"),
    "an error of a formula": ('<c t="e"><f>1/0</f><v>#DIV/0!</v></c>', "name", "cell_error", "#DIV/0!"),
    "a formula that was never calculated": ("<c><f>A1</f></c>", "name", "no_result", "no stored result"),
    "a formula with an empty result element": ("<c><f>A1</f><v></v></c>", "name", "no_result", "save it"),
    "a text formula without a result": ('<c t="str"><f>A1</f></c>', "name", "no_result", "save it"),
    "a date beyond what is shown": (number("99999999", 1), "name", "no_date", "no date"),
    "a date before the first": (number("-1", 1), "name", "no_date", "no date"),
    "no number": (number("abc"), "name", "invalid", "number"),
    "too large a number": (number("1e999"), "name", "invalid", "number"),
    "digits of another script": (number("\u0661\u0662"), "name", "invalid", "number"),
    "a number with underscores": (number("1_000"), "name", "invalid", "number"),
    "no boolean": (number("maybe", kind="b"), "name", "invalid", "boolean"),
    "a text that there is not": (number("7", kind="s"), "name", "invalid", "text"),
    "a text of no number": (number("-1", kind="s"), "name", "invalid", "text"),
    "a cell beyond the header": (text("Lamp") + text("more"), "row", "ragged", "Has 3 fields, the header has 2"),
    "a cell far beyond it": (text("Lamp") + '<c r="XFD2" t="str"><v>x</v></c>', "row", "ragged", "Has 16384 fields"),
    "too long a text": (text("x" * (1 << 20 | 1)), "row", "too_long", "characters"),
    "texts that are too long together": (number(0, kind="s") * 3, "row", "too_long", "characters"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_cell_without_a_value_costs_its_row_with_a_reason(tmp_path, name):
    cell, field, code, message = PROBLEMS[name]
    content = book(row("sku", "name"), row("A", cell), row("B", "Desk"), style=styles(14), sst=strings("x" * 1_000_000))
    _, (refused, kept) = table(content, tmp_path)
    problem = refused[2]
    assert (problem.field, problem.code, kept) == (field, code, (3, ["B", "Desk"], None))
    assert message in problem.message
    assert sum(map(len, refused[1])) < 10_000


def test_an_error_in_a_column_that_is_no_field_of_ours_costs_nothing(tmp_path):
    content = book(row("sku", "name", "note"), row("A", "Lamp", number("#REF!", kind="e")))
    assert cells(content, tmp_path) == [(2, ["A", "Lamp", "#REF!"])]


def test_a_formula_whose_result_is_an_empty_text_is_an_empty_cell(tmp_path):
    assert shown(tmp_path, '<c t="str"><f>IF(1,"","")</f><v></v></c>', '<c><f t="shared" si="0"/><v>5</v></c>') == [
        "",
        "5",
    ]


SHAPES = {
    "rows and cells without references": book(row("sku", "name"), row("OK1", "Lamp")),
    "references in any order": book(
        '<row r="1"><c r="B1" t="str"><v>name</v></c><c r="A1" t="str"><v>sku</v></c></row>', PRODUCT
    ),
    "a blank row at the end of the sheet": book(HEADER, PRODUCT, '<row r="1048576"><c r="A1048576" s="1"/></row>'),
    "blank styled cells to the last column": book(HEADER, PRODUCT.replace("</row>", '<c r="XFD2" s="1"/></row>')),
    "spaces beyond the header": book(HEADER, PRODUCT.replace("</row>", '<c r="D2" t="str"><v> </v></c></row>')),
    "empty columns after the header": book(HEADER.replace("</row>", '<c r="C1"/><c r="D1" t="str"/></row>'), PRODUCT),
    "what is around the rows": packed(parts(sheets={"S": sheet(
        HEADER, PRODUCT, before='<sheetPr><tabColor rgb="r"/></sheetPr><dimension ref="?"/><cols><col min="x"/></cols>',
        after='<mergeCells><mergeCell ref="1:1"/></mergeCells><pageMargins left="0,7"/><pageSetup fitTo="?"/>')})),
    "unknown elements among the cells": book(
        HEADER, PRODUCT.replace("</row>", "<extLst><c r='A9'><v>9</v></c></extLst></row>"), "<x><row><c/></row></x>"),
    "Strict": packed({**parts(sheets={"S": sheet(HEADER, PRODUCT, namespace=STRICT)}),
                      "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml"), office=STRICT_OFFICE),
                      "xl/_rels/workbook.xml.rels": relationships(
                          ("worksheet", "worksheets/sheet1.xml"), office=STRICT_OFFICE),
                      "xl/workbook.xml": workbook("S", namespace=STRICT, office=STRICT_OFFICE)}),
    "prefixes": packed(parts(sheets={"S": xml(
        '<x:worksheet xmlns:x="n"><x:sheetData><x:row><x:c t="str"><x:v>sku</x:v></x:c><x:c t="str"><x:v>name</x:v>'
        '</x:c></x:row><x:row><x:c t="str"><x:v>OK1</x:v></x:c><x:c t="inlineStr"><x:is><x:t>Lamp</x:t></x:is></x:c>'
        "</x:row></x:sheetData></x:worksheet>")})),
    "UTF-16": packed(parts(sheets={"S": sheet(HEADER, PRODUCT).replace("UTF-8", "UTF-16").encode("utf-16")})),
    "stored, not packed": packed(parts(HEADER, PRODUCT), zipfile.ZIP_STORED),
    "a shuffled archive": packed(dict(reversed(parts(HEADER, PRODUCT).items()))),
    "pretty printed": packed({name: content.replace(">", ">\n ") if "sheet1" in name else content
                              for name, content in parts(row("sku", "name"), row(number("OK1", kind="str"),
                                                                                number("Lamp", kind="str"))).items()}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_sheet_is_read_in_every_shape(tmp_path, name):
    expected = [(2, ["OK1", "Lamp"])]
    found = cells(SHAPES[name], tmp_path)
    assert [(line, [value.strip() for value in values]) for line, values in found] == expected


PACKAGES = {
    "absolute targets": {"xl/_rels/workbook.xml.rels": relationships(("worksheet", "/xl/worksheets/sheet1.xml"))},
    "targets with dots": {"_rels/.rels": relationships(("officeDocument", "./docs/../xl/workbook.xml"))},
    "back slashes": {"_rels/.rels": relationships(("officeDocument", "xl\\workbook.xml"))},
    "another case": {"_rels/.rels": relationships(("officeDocument", "XL/Workbook.xml"))},
    "escaped characters": {"_rels/.rels": relationships(("officeDocument", "xl/%77orkbook.xml"))},
    "no relationships of the package": {"_rels/.rels": None},
    "no content types": {"[Content_Types].xml": None},
    "styles that are no XML, which no cell needs": {"xl/styles.xml": "<", "docProps/core.xml": "<created>2021- 8- 2T"},
    "a theme, drawings and properties": {"xl/theme/theme1.xml": b"\0", "xl/drawings/drawing1.xml": b"", "x/y": "z"},
    "an external link": {"xl/_rels/workbook.xml.rels": relationships(("worksheet", "worksheets/sheet1.xml")).replace(
        "</Rel", '<Relationship Id="rId9" Type="x/externalLink" Target="file:///c:/x" TargetMode="External"/></Rel')},
}  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_parts_are_found_by_what_refers_to_them(tmp_path, name):
    found = {**parts(HEADER, PRODUCT), **PACKAGES[name]}
    assert cells(packed({one: content for one, content in found.items() if content is not None}), tmp_path) == OK


def test_the_name_of_a_part_says_nothing(tmp_path):
    found = {
        "[Content_Types].xml": types(sharedStrings="/xl/worksheets/texts.bin", styles="/xl/sharedStrings.xml"),
        "_rels/.rels": relationships(("officeDocument", "some/book.xml")),
        "some/book.xml": workbook("S"),
        "some/_rels/book.xml.rels": relationships(("worksheet", "/xl/styles.xml")),
        "xl/styles.xml": sheet(HEADER, row(number("1", 1), number(0, kind="s"))),
        "xl/worksheets/texts.bin": strings("Lamp"),
        "xl/sharedStrings.xml": styles("&quot;OK&quot;00"),
    }
    assert cells(packed(found), tmp_path) == [(2, ["OK01", "Lamp"])]


DECORATION = {
    "an empty fill": "<fills><fill/></fills>",
    "a colour by its name": '<fonts><font><color rgb="red"/></font></fonts>',
    "a font family": '<fonts><font><family val="99"/></font></fonts>',
    "half of a border": "<borders><border><left style='?'/></border></borders>",
}


@pytest.mark.parametrize("name", DECORATION)
def test_decoration_does_not_decide_what_can_be_read(tmp_path, name):
    content = book(HEADER, row(number("1", 1), "Lamp"), style=styles("00", before=DECORATION[name]))
    assert cells(content, tmp_path) == [(2, ["01", "Lamp"])]


def test_the_first_sheet_that_is_shown_is_read_and_a_hidden_one_by_its_name(tmp_path):
    old, new = sheet(HEADER, row("OLD", "x")), sheet(HEADER, row("NEW", "x"))
    content = packed(parts(sheets={"Very": old, "Old": old, "New": new}))
    found = {**parts(sheets={"Very": old, "Old": old, "New": new})}
    found["xl/workbook.xml"] = workbook("Very:veryHidden", "Old:hidden", "New")
    assert cells(content, tmp_path) == [(2, ["OLD", "x"])]
    assert cells(packed(found), tmp_path) == [(2, ["NEW", "x"])]
    assert cells(packed(found), tmp_path, sheet="Old") == [(2, ["OLD", "x"])]
    found["xl/workbook.xml"] = workbook("Very:hidden", "Old:hidden", "New:hidden")
    assert cells(packed(found), tmp_path) == [(2, ["OLD", "x"])]


def test_a_chart_is_no_sheet(tmp_path):
    found = parts(sheets={"Chart": "<chartsheet/>", "Data": sheet(HEADER, PRODUCT)})
    found["xl/_rels/workbook.xml.rels"] = relationships(
        ("chartsheet", "worksheets/sheet1.xml"), ("worksheet", "worksheets/sheet2.xml")
    )
    assert cells(packed(found), tmp_path) == OK


def test_rows_out_of_order_are_all_read_with_their_numbers(tmp_path):
    rows = [row(f"S{number}", "x", r=number) for number in (4, 2, 9, 3)]
    expected = [(number, [f"S{number}", "x"]) for number in (4, 2, 9, 3)]
    assert cells(book(HEADER, *rows), tmp_path) == expected
    assert cells(book(rows[0], rows[1], HEADER, *rows[2:]), tmp_path) == expected


def test_rows_of_one_number_are_both_read(tmp_path):
    assert cells(book(HEADER, row("A", "x", r=2), row("B", "y", r=2)), tmp_path) == [(2, ["A", "x"]), (2, ["B", "y"])]


def test_a_row_above_the_header_that_comes_too_late_ends_the_import_in_words(tmp_path):
    rows = [row(f"S{number}", "x", r=number) for number in range(3, 400)]
    with pytest.raises(BadFile, match="Row 1 stands after row 2"):
        cells(book(row("sku", "name", r=2), *rows, row("A", "x", r=1)), tmp_path)


def test_blank_rows_before_the_header_are_none(tmp_path):
    assert cells(book("<row/>", '<row r="3"><c s="1"/></row>', row("sku", "name", r=5), row("A", "x")), tmp_path) == [
        (6, ["A", "x"])
    ]


@pytest.mark.parametrize(("reference", "expected"), [("A1:E20001", 20_000), ("A1:XFD99999999", 0), ("", 0), ("x", 0)])
def test_the_size_that_a_sheet_claims_is_a_hint_and_no_more(tmp_path, reference, expected):
    path = tmp_path / "p.xlsx"
    path.write_bytes(packed(parts(sheets={"S": sheet(HEADER, PRODUCT, before=f'<dimension ref="{reference}"/>')})))
    assert sources.of(path, "p.xlsx", {}).survey(1).records == expected


def test_many_shared_texts_are_read_from_disk_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr("catalog.imports.xlsx.shared_strings.MEMORY_BYTES", 1_000)
    monkeypatch.setattr("catalog.imports.xlsx.shared_strings.CACHE_CHARACTERS", 5_000)
    texts = [f"text {number} " + "ä" * (number % 7 * 100) for number in range(3_000)]
    order = [number * 1_999 % 3_000 for number in range(3_000)]
    rows = [row(f"S{one}", number(one, kind="s")) for one in order]
    found = cells(book(HEADER, *rows, sst=strings(*texts)), tmp_path)
    assert [values[1] for _, values in found] == [texts[one] for one in order]


def test_a_workbook_is_imported_with_every_row_accounted_for(importer):
    rows = [
        row("sku", "name", "price"),
        row(number("123", 1), "Lamp", number("5")),
        row("B", number("#N/A", kind="e"), number("5")),
        row("C", "<c><f>A1</f></c>"),
        row("D", "Desk", number("2.50", 2), "more"),
        row("E", "Chair", number("2.5")),
    ]
    result = importer.run(book(*rows, style=styles("00000", "0.00")), "p.xlsx")
    assert counts(result) == {"created": 2, "errors": 3}
    assert sorted(importer.by_sku()) == ["00123", "E"]
    assert [(one["row"], one["field"], one["code"]) for one in result["error_details"]] == [
        (3, "name", "cell_error"),
        (4, "name", "no_result"),
        (5, "row", "ragged"),
    ]
    assert result["error_details"][0]["error"] == "name: The cell holds the error #N/A."


def test_the_console_shows_why_a_row_of_a_workbook_would_be_refused(tmp_path, app):
    from catalog.imports import preview

    path = tmp_path / "p.xlsx"
    path.write_bytes(book(row("sku", "name"), row("A", number("#N/A", kind="e")), row("B", "Desk")))
    with app.app_context():
        found = preview.of(path, "p.xlsx", {"encoding": None, "delimiter": None, "sheet": None, "mapping": None,
                                            "mapping_name": None})  # fmt: skip
    assert [(one.line, one.error) for one in found.rows] == [(2, "name: The cell holds the error #N/A."), (3, None)]
