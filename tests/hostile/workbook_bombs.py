"""Workbooks that unpack to what an unbounded reader holds in memory, or takes minutes for."""

from collections.abc import Iterator

from tests.imports.workbooks import (
    HEADER,
    PRODUCT,
    book,
    packed,
    parts,
    relationships,
    row,
    sheet,
    strings,
    styles,
    workbook,
)

UNPACKED = 6 << 20


def many(unit: str, size: int = UNPACKED) -> str:
    return unit * (size // len(unit))


def shared(*numbers: int) -> str:
    return row(*(f'<c t="s"><v>{number}</v></c>' for number in numbers))


def sheet_of(content: str) -> bytes:
    return packed(parts(sheets={"S": content}))


def names(form: str) -> str:
    """Return many different names of elements or attributes, in a form."""
    return "".join(form.format(number) for number in range(UNPACKED // 12))


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """Yield workbooks by name with how reading each ends. They cost openpyxl up to 2.5 GB, minutes, or both."""
    number = row("A", '<c s="1"><v>5</v></c>')
    damaged = "400 The .xlsx file is damaged: "

    def before(content: str) -> bytes:
        return sheet_of(sheet(HEADER, PRODUCT, before=content))

    formats = "".join(f'<numFmt numFmtId="{one}" formatCode="{"0" * 200}"/>' for one in range(20_000))
    yield "fonts", book(HEADER, number, style=styles(14, before=many("<font/>"))), "read"
    yield "formats", book(HEADER, number, style=styles(14, before=f"<numFmts>{formats}</numFmts>")), "read"
    cell_styles = styles(14, before=f"<cellXfs>{many('<xf/>')}</cellXfs>")
    yield "cell styles", book(HEADER, row("A", '<c s="65535"><v>5</v></c>'), style=cell_styles), "read"
    texts = strings().replace("</sst>", many("<si><t>ab</t></si>") + "</sst>")
    yield "shared texts", book(HEADER, row("A", '<c t="s"><v>300000</v></c>'), sst=texts), "read"
    yield "a long shared text", book(HEADER, row("A", '<c t="s"><v>0</v></c>'), sst=strings(many("a"))), "read"
    yield "one text", book(HEADER, *[shared(*[0] * 2_000)] * 100, sst=strings("x" * 1_000_000)), "413 The cells"
    much = book(HEADER, *[shared(0, 0)] * 30, sst=strings("x" * 900_000))
    yield "rows that together hold too much", much, "413 The cells of the sheet"
    yield "a long text", book(HEADER, row("A", many("a"))), "read"
    yield "blank rows", book(HEADER, PRODUCT, "<row/>" * 1_048_600), damaged + "no sheet has more"
    yield "empty cells", book(HEADER, "<row>" + many("<c/>") + "</row>"), damaged + "no sheet has more"
    yield "cells of one column", book(HEADER, "<row>" + many('<c r="A2"/>') + "</row>"), damaged + "no sheet has more"
    yield "far cells", book(HEADER, *['<row><c r="XFD1" t="b"><v>1</v></c></row>'] * 20_000), "read"
    yield "elements", before(many("<a/>")), "400 The .xlsx file holds more"
    yield "comments", before(many("<!---->")), "read"
    yield "names", before(names("<n{}/>")), damaged + "its XML has more than"
    yield "prefixes", before(names("<a xmlns:n{}='u'/>")), damaged + "its XML has more than"
    yield "attributes", before("<a " + names(" n{}=''") + "/>"), damaged + "a tag is longer"
    yield "a long attribute", before(f"<a b='{many('x')}'/>"), damaged + "a tag is longer"
    yield "a long comment", before(f"<!--{many('x')}-->"), damaged + "a tag is longer"
    yield "depth", before(many("<a>")), damaged + "its XML is nested"
    yield "runs", book(HEADER, row("A", "<c><is>" + many("<r>"))), damaged + "its XML is nested"
    entities = sheet(HEADER, PRODUCT).replace("?>", "?><!DOCTYPE x [<!ENTITY a 'aaaaaaaa'>]>")
    yield "entities", sheet_of(entities), damaged + "its XML has a document type"
    related = relationships(("worksheet", "worksheets/sheet1.xml"), *[("x", "y")] * 3_000)
    for name, part, content, ends in (
        ("sheets", "xl/workbook.xml", workbook(*["S"] * 20_000), "read"),
        ("depth of the workbook", "xl/workbook.xml", many("<a>"), damaged),
        ("relationships", "xl/_rels/workbook.xml.rels", related, "read"),
        ("many relationships", "xl/_rels/workbook.xml.rels", many(" "), "413 The .xlsx file unpacks to more"),
    ):
        yield name, packed({**parts(HEADER, PRODUCT), part: content}), ends
    for name, count, ends in (("parts", 9_000, "413 The .xlsx file has too many parts"), ("some parts", 5_000, "read")):
        others = dict.fromkeys((f"xl/media/{one:0200}" for one in range(count)), "")
        yield name, packed({**parts(HEADER, PRODUCT), **others}), ends
