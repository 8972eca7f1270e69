"""Workbooks that attack their reader: bounded in memory and in what is unpacked, stopped at once, never a 500."""

import json
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from catalog import config, jobqueue
from catalog.errors import CatalogError
from catalog.imports import deadline, service, sources
from catalog.imports import lease as leases
from catalog.imports.deadline import Deadline, TooSlow
from catalog.imports.files import BadFile
from catalog.imports.xlsx import package, parsing
from tests.hostile.broken_workbooks import broken
from tests.hostile.workbook_bombs import UNPACKED, bombs, many, sheet_of
from tests.imports.conftest import importer  # noqa: F401
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
    xml,
)
from tests.processes import wait_for

MEMORY_MB = 150
SEEDS = 800


@pytest.fixture(autouse=True)
def _no_worker_runs_imports(monkeypatch):
    """The folder's service may be running: its worker would take the imports that a test runs itself."""
    monkeypatch.setattr(jobqueue, "enqueue", lambda *_, **__: None)


def read_all(path: Path, tick=lambda: None) -> int:
    """Return how many rows there are. Raises CatalogError, and what the tick raises."""
    source = sources.of(path, "p.xlsx", {}, tick)
    header = source.header({})
    return sum(1 for _ in source.records(source.survey(1 << 20), header, 1 << 20))


def refusal_of(path: Path) -> CatalogError | None:
    try:
        read_all(path)
    except CatalogError as error:
        return error
    return None


@pytest.mark.parametrize("start", range(0, SEEDS, 100))
def test_a_broken_workbook_is_refused_in_words_or_read(tmp_path, start):
    path = tmp_path / "p.xlsx"
    outcomes = set()
    for seed in range(start, start + 100):
        path.write_bytes(broken(seed))
        refusal = refusal_of(path)
        outcomes.add(refusal.code if refusal else "read")
        said = f"{refusal.detail} {refusal.errors}" if refusal else ""
        assert refusal is None or refusal.status in (400, 413), seed
        assert not any(word in said for word in (str(tmp_path), "\0")), seed
    assert {"read", "bad_file"} <= outcomes


@pytest.fixture(scope="module")
def exploded(tmp_path_factory) -> dict[str, tuple[dict, str]]:
    """How each bomb was read, by a process that reads one after the other, and how it should end."""
    folder = tmp_path_factory.mktemp("bombs")
    ends = {}
    for name, content, end in bombs():
        (folder / f"{name}.xlsx").write_bytes(content)
        ends[name] = end
    command = [sys.executable, "-m", "tests.hostile.reading", str(folder)]
    child = subprocess.run(command, cwd=config.ROOT, capture_output=True, text=True, check=True)
    found = json.loads(child.stdout)
    return {name: (found[f"{name}.xlsx"], end) for name, end in ends.items()}


def test_no_bomb_costs_much_memory_or_is_read_twice(exploded):
    assert len(exploded) == 28
    assert {name: found for name, (found, end) in exploded.items() if not found["outcome"].startswith(end)} == {}
    assert {name: found for name, (found, _) in exploded.items() if found["peak_mb"] > MEMORY_MB} == {}
    most = 3 * UNPACKED // package.PIECE_BYTES
    assert {name: found for name, (found, _) in exploded.items() if found["pieces"] > most} == {}


@pytest.mark.parametrize(
    "role", ["officeDocument", "worksheet", "sharedStrings", "styles", "contentTypes", "relationships"]
)
def test_a_part_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path, role):
    found = parts(
        HEADER, row("A", '<c t="s" s="1"><v>0</v></c>', '<c s="1"><v>0</v></c>'), sst=strings("x"), style=styles(1)
    )
    name = {
        "officeDocument": "xl/workbook.xml",
        "worksheet": "xl/worksheets/sheet1.xml",
        "sharedStrings": "xl/sharedStrings.xml",
        "styles": "xl/styles.xml",
        "contentTypes": "[Content_Types].xml",
        "relationships": "xl/_rels/workbook.xml.rels",
    }[role]
    if role == "contentTypes":
        found["_rels/.rels"] = relationships(("x", "y"))
    path = tmp_path / "p.xlsx"
    path.write_bytes(packed({**found, name: bytes(20 << 20)}))
    seen: list[int] = []
    with pytest.raises(CatalogError) as raised:
        read_all(path, lambda: seen.append(1))
    assert (raised.value.status, len(seen) < 10) == (413, True)


def test_the_head_of_a_long_sheet_takes_no_more_than_its_first_pieces(tmp_path):
    rows = [row(f"S{number}", f'<c t="s" s="1"><v>{number}</v></c>', "x" * 50) for number in range(30_000)]
    texts = [f"Lamp number {number} of many" for number in range(30_000)]
    content = book(row("sku", "name", "note"), *rows, sst=strings(*texts), style=styles(14))
    path = tmp_path / "p.xlsx"
    path.write_bytes(content)
    seen: list[int] = []
    source = sources.of(path, "p.xlsx", {}, lambda: seen.append(1))
    header = source.header({})
    first = source.first_rows(header, 20)
    assert (first[19][1][1], len(first)) == ("Lamp number 19 of many", 20)
    assert (source.outline().names, source.survey(1).records) == (header.names, 0)
    assert len(seen) <= 6  # one of each part


class Stop(Exception):
    """Raised by a tick, as the loss of a lease is."""


GAPS = {
    "blank rows": book(HEADER, PRODUCT, many("<row/>", 4 << 20)),
    "comments": book(HEADER, PRODUCT, many("<!---->", 4 << 20), row("B", "Desk")),
    "white space": book(HEADER, PRODUCT, many(" ", 4 << 20), row("B", "Desk")),
    "shared texts": book(HEADER, PRODUCT, row("B", '<c t="s"><v>220000</v></c>'), sst=strings(*["ab"] * 220_001)),
    "fonts": book(
        HEADER, PRODUCT, row("B", '<c s="1"><v>5</v></c>'), style=styles(14, before=many("<font/>", 4 << 20))
    ),
    "a row that never ends": book(HEADER, PRODUCT, "<row>" + many("<x/>", 3 << 20)),
    "what stands after the rows": sheet_of(sheet(HEADER, PRODUCT, after=many("<mergeCell/>", 4 << 20))),
}


@pytest.mark.parametrize("name", GAPS)
def test_the_reading_stops_at_once_where_there_is_no_row(tmp_path, name):
    path = tmp_path / "p.xlsx"
    path.write_bytes(GAPS[name])
    pieces = count_of_pieces(path)
    seen: list[int] = []

    def tick() -> None:
        seen.append(1)
        if len(seen) == pieces - 10:
            raise Stop

    assert pieces > 40
    with pytest.raises(Stop):
        read_all(path, tick)
    assert len(seen) == pieces - 10


def count_of_pieces(path: Path) -> int:
    seen: list[int] = []
    with suppress(BadFile):
        read_all(path, lambda: seen.append(1))
    return len(seen)


def test_a_head_that_takes_too_long_is_refused_and_first_rows_that_do_are_fewer(tmp_path):
    path = tmp_path / "p.xlsx"
    path.write_bytes(book(many("<row/>", 4 << 20), HEADER, PRODUCT))
    with pytest.raises(TooSlow, match=r"Save the file as \.csv"):
        sources.of(path, "p.xlsx", {}, Deadline(0, 0)).header({})
    path.write_bytes(book(row("sku", "name"), row("A", "Lamp"), many("<row/>", 4 << 20), row("B", "Desk")))
    source = sources.of(path, "p.xlsx", {}, later(Deadline(0, 0), 8))
    assert [row[1] for row in source.first_rows(source.header({}), 20)] == [["A", "Lamp"]]


def test_a_row_that_takes_too_long_does_not_hide_those_before_it(tmp_path):
    path = tmp_path / "p.xlsx"
    path.write_bytes(GAPS["shared texts"])
    source = sources.of(path, "p.xlsx", {}, later(Deadline(0, 0), 8))
    assert [row[1] for row in source.first_rows(source.header({}), 20)] == [["OK1", "Lamp"]]


def later(tick, calls: int):
    """Return a tick that begins after so many calls."""
    seen: list[int] = []

    def counted() -> None:
        seen.append(1)
        if len(seen) > calls:
            tick()

    return counted


def test_time_that_others_took_is_not_counted_against_a_file(monkeypatch):
    now = [1.0]
    own = [1.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(deadline.time, "thread_time", lambda: own[0])
    tick = Deadline()
    tick()
    now[0] += 60
    tick()
    own[0] += 0.3
    with pytest.raises(TooSlow):
        tick()


@pytest.fixture
def held(monkeypatch) -> list[leases.Lease]:
    """The leases that are taken, which renew themselves more often."""
    found: list[leases.Lease] = []
    acquire = leases.acquire

    def kept(*arguments: object) -> leases.Lease | None:
        taken = acquire(*arguments)  # type: ignore[arg-type]
        found.extend([taken] if taken else [])
        return taken

    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(leases, "acquire", kept)
    return found


@pytest.mark.parametrize("name", [name for name in GAPS if name != "a row that never ends"])
def test_an_import_is_cancelled_where_its_file_has_no_rows(importer, held, monkeypatch, name):  # noqa: F811
    import_id = importer.submit(GAPS[name], "p.xlsx")
    advance = parsing.Parser.advance
    last: list[int] = []

    def cancelling(parser: parsing.Parser) -> bool:
        more = advance(parser)
        if held and parser._fed > (1 << 20) and not last:
            service.cancel(import_id)
            wait_for(lambda: held[0]._cancelled)
        if held and held[0]._cancelled:
            last.append(1)
        return more

    def draining(parser: parsing.Parser) -> None:
        service.cancel(import_id)
        wait_for(lambda: held[0]._cancelled)
        last.append(1)
        drain(parser)

    drain = parsing.Parser.drain
    monkeypatch.setattr(parsing.Parser, "advance", cancelling)
    if name == "what stands after the rows":
        monkeypatch.setattr(parsing.Parser, "drain", draining)
    service.run(import_id)
    assert importer.result(import_id)["status"] == "cancelled"
    assert len(last) == 1
    assert importer.products() == []


def test_a_workbook_of_another_kind_says_what_to_do(tmp_path):
    found = parts(HEADER, PRODUCT)
    found["_rels/.rels"] = relationships(("officeDocument", "xl/workbook.bin"))
    cases = {
        "binary workbook": packed(found),
        "holds no worksheet": packed({**parts(HEADER, PRODUCT), "xl/workbook.xml": xml("<document/>")}),
        "holds no workbook": packed(
            {"content.xml": "<x/>", "mimetype": "application/vnd.oasis.opendocument.spreadsheet"}
        ),
        "protected by a password": encrypted(packed(parts(HEADER, PRODUCT))),
        "compressed in a way": packed(parts(HEADER, PRODUCT), zipfile.ZIP_LZMA),
    }
    path = tmp_path / "p.xlsx"
    for words, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(BadFile, match=words):
            read_all(path)


def encrypted(content: bytes) -> bytes:
    """Return an archive whose parts say that they are encrypted."""
    whole = bytearray(content)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = whole.find(mark)
        while place >= 0:
            whole[place + offset] |= 1
            place = whole.find(mark, place + 4)
    return bytes(whole)
