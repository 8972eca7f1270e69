"""Small .xlsx files, made part by part in the shapes that other programs write and attackers would."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from catalog.imports import sources
from catalog.imports.reader import Record

TRANSITIONAL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

HEADER = '<row r="1"><c r="A1" t="str"><v>sku</v></c><c r="B1" t="str"><v>name</v></c></row>'
PRODUCT = '<row r="2"><c r="A2" t="str"><v>OK1</v></c><c r="B2" t="str"><v>Lamp</v></c></row>'


def xml(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{body}'


def text(value: str) -> str:
    """Return a cell with an inline text."""
    return f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def row(*cells: str, r: int | str | None = None) -> str:
    """Return a row; what is no cell becomes a text."""
    inner = "".join(cell if cell.startswith("<") else text(cell) for cell in cells)
    return f"<row>{inner}</row>" if r is None else f'<row r="{r}">{inner}</row>'


def sheet(*rows: str, before: str = "", after: str = "", namespace: str = TRANSITIONAL) -> str:
    return xml(f'<worksheet xmlns="{namespace}">{before}<sheetData>{"".join(rows)}</sheetData>{after}</worksheet>')


def styles(*codes: str | int, before: str = "", namespace: str = TRANSITIONAL) -> str:
    """Return a style sheet whose styles have these number formats in turn, from style 1 on."""
    own = [code for code in codes if isinstance(code, str)]
    formats = "".join(f'<numFmt numFmtId="{164 + own.index(code)}" formatCode="{code}"/>' for code in own)
    numbers = [code if isinstance(code, int) else 164 + own.index(code) for code in codes]
    xfs = "".join(f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0"/>' for number in (0, *numbers))
    return xml(
        f'<styleSheet xmlns="{namespace}"><numFmts count="{len(own)}">{formats}</numFmts>{before}'
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{xfs}</cellXfs></styleSheet>'
    )


def strings(*items: str) -> str:
    """Return the shared strings; what is no element becomes a plain text."""
    inner = "".join(f"<si>{item if item.startswith('<') else f'<t>{item}</t>'}</si>" for item in items)
    return xml(f'<sst xmlns="{TRANSITIONAL}">{inner}</sst>')


def relationships(*entries: tuple[str, str], office: str = OFFICE) -> str:
    """Return relationships of (role, target), numbered rId1, rId2, …"""
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{office}/{role}" Target="{target}"/>'
        for number, (role, target) in enumerate(entries, 1)
    )
    return xml(f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>')


def workbook(*names: str, namespace: str = TRANSITIONAL, office: str = OFFICE, properties: str = "") -> str:
    """Return the workbook part; a name may be "name:state"."""
    inner = ""
    for number, name in enumerate(names, 1):
        plain, _, state = name.partition(":")
        shown = f' state="{state}"' if state else ""
        inner += f'<sheet name="{plain}" sheetId="{number}"{shown} r:id="rId{number}"/>'
    return xml(f'<workbook xmlns="{namespace}" xmlns:r="{office}">{properties}<sheets>{inner}</sheets></workbook>')


def types(**overrides: str) -> str:
    """Return the content types, with parts by the last words of their types."""
    inner = "".join(
        f'<Override PartName="{name}" ContentType="{_TYPE}.{kind.replace("_", ".")}+xml"/>'
        for kind, name in {"sheet_main": "/xl/workbook.xml", **overrides}.items()
    )
    return xml(f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="x/xml"/>{inner}</Types>')


def parts(
    *rows: str, sst: str | None = None, style: str | None = None, sheets: Mapping[str, str] | None = None
) -> dict[str, str | bytes]:
    """Return the parts of a workbook by their names: one sheet of these rows, or `sheets` by name."""
    sheets = sheets if sheets is not None else {"Sheet1": sheet(*rows)}
    found: dict[str, str | bytes] = {
        "[Content_Types].xml": types(),
        "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": workbook(*sheets),
    }
    related = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    for (_, target), content in zip(related, sheets.values(), strict=True):
        found[f"xl/{target}"] = content
    for role, name, part in (("sharedStrings", "sharedStrings.xml", sst), ("styles", "styles.xml", style)):
        if part is not None:
            related.append((role, name))
            found[f"xl/{name}"] = part
    found["xl/_rels/workbook.xml.rels"] = relationships(*related)
    return found


def packed(found: Mapping[str, str | bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return the parts as a file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file:
        for name, content in found.items():
            file.writestr(name, content)
    return buffer.getvalue()


def book(*rows: str, **kwargs: object) -> bytes:
    """Return a workbook of one sheet of these rows."""
    return packed(parts(*rows, **kwargs))  # type: ignore[arg-type]


def table(content: bytes, folder: Path, **options: str) -> tuple[list[str], list[Record]]:
    """Return the header and all records of a workbook, read as an import reads it."""
    path = folder / "p.xlsx"
    path.write_bytes(content)
    source = sources.of(path, "p.xlsx", options, lambda: None)
    header = source.header({})
    return header.names, list(source.records(source.survey(1 << 20), header, 1 << 20))


def cells(content: bytes, folder: Path, **options: str) -> list[tuple[int, list[str]]]:
    """Return the rows of a workbook, none of which may be refused by the reader."""
    _, found = table(content, folder, **options)
    assert [problem for _, _, problem in found if problem] == []
    return [(number, values) for number, values, _ in found]
