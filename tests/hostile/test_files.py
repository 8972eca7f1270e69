"""Files that are wrong, against the running service: refused at once with the reason, or every row accounted for."""

import errno
import gzip
import io
import json
import os
import signal
import socket
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.hostile.conftest import PRODUCTS, Service, problem, said
from tests.imports.workbooks import HEADER as TOP
from tests.imports.workbooks import PRODUCT, book, packed, parts, row, sheet
from tests.processes import running, served, wait_for

pytestmark = pytest.mark.processes

FULL_WIDTH = "\uff11\uff12"
HEAD = b"sku,name,price,stock_quantity\n"
ROWS = b"".join(b"S-%d,Name,1,1\n" % number for number in range(50_000))


def price(text: str) -> bytes:
    return HEAD + f'A,Lamp,"{text}",1\n'.encode() + b"B,Desk,2,2\n"


def zipped(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


@dataclass(frozen=True)
class Refused:
    """The upload is answered so, and nothing of it is kept."""

    status: int
    reason: str


@dataclass(frozen=True)
class Imported:
    """The import's counts, and what it says of lines; `skus` are the products afterwards."""

    counts: dict[str, int]
    lines: dict[int, str] = field(default_factory=dict)  # part of the reason, by line
    skus: tuple[str, ...] | None = None
    error: str = ""


Case = tuple[bytes, str, dict[str, str], Refused | Imported]

TWO = Imported({"created": 2}, skus=("A", "B"))
ONE_BAD = {"created": 1, "errors": 1}
PLAIN = "sku,name\nA,Lämp\nB,Desk\n"

FILES: dict[str, Case] = {
    "a byte order mark": (b"\xef\xbb\xbf" + PLAIN.encode(), "p.csv", {}, TWO),
    "Latin-1, not said": (PLAIN.encode("latin-1"), "p.csv", {}, Refused(400, "Line 2, byte 13")),
    "Latin-1, said": (PLAIN.encode("latin-1"), "p.csv", {"encoding": "latin-1"}, TWO),
    "Latin-1 far into the file": (HEAD + ROWS + b"B,\xff,1,1\n", "p.csv", {}, Imported({}, error="Line 50002, byte")),
    "UTF-16 with its mark": (PLAIN.encode("utf-16"), "p.csv", {}, TWO),
    "UTF-16 without": (PLAIN.encode("utf-16-le"), "p.csv", {}, Refused(400, "")),
    "NUL in a cell": (b"sku,name\nA,La\0mp\nB,Desk\n", "p.csv", {}, Imported(ONE_BAD, {2: "name"}, ("B",))),
    "an unclosed quote": (b'sku,name\nA,"Lamp\nB,Desk\nC,Chair\n', "p.csv", {},
                          Imported({"created": 2, "errors": 1}, {2: "never closed"}, ("B", "C"))),
    "a field over 128 KB": (b"sku,name\nA," + b"x" * 1_100_000 + b"\nB,Desk\n", "p.csv", {},
                            Imported(ONE_BAD, {2: ""}, ("B",))),
    "a header without sku": (b"name,price\nLamp,1\n", "p.csv", {}, Refused(400, "no column sku")),
    "a doubled header": (b"sku,name,SKU\nA,Lamp,B\n", "p.csv", {}, Refused(400, "column sku twice")),
    "an unknown header": (b"sku,name,colour\nA,Lamp,red\nB,Desk,blue\n", "p.csv", {}, TWO),
    "an empty header": (b"sku,name,,price\nA,Lamp,x,1\n", "p.csv", {}, Refused(400, "no name")),
    "ragged rows": (b"sku,name\nA\nB,Desk\nC,Chair,more\n", "p.csv", {},
                    Imported({"created": 1, "errors": 2}, {2: "row", 4: "row"}, ("B",))),
    "an empty file": (b"", "p.csv", {}, Refused(400, "empty")),
    "a header only": (b"sku,name\n", "p.csv", {}, Refused(400, "a header and no rows")),
    "lines that end in CR": (PLAIN.encode().replace(b"\n", b"\r"), "p.csv", {}, TWO),
    "semicolons": (PLAIN.replace(",", ";").encode(), "p.csv", {}, TWO),
    "tabs": (PLAIN.replace(",", "\t").encode(), "p.csv", {}, TWO),
    "one SKU twice": (b"sku,name\nA,Lamp\nB,Desk\nA,Late\n", "p.csv", {},
                      Imported({"created": 2, "superseded": 1}, {2: "4"}, ("A", "B"))),
    "one SKU twice, by case": (b"sku,name\nab,Lamp\nAB,Late\n", "p.csv", {},
                               Imported({"created": 1, "superseded": 1}, {2: "3"}, ("AB",))),
    "one SKU twice, by space": (b"sku,name\nA,Lamp\n  A ,Late\n", "p.csv", {},
                                Imported({"created": 1, "superseded": 1}, {2: "3"}, ("A",))),
    **{f"the price {text}": (price(text), "p.csv", {}, Imported(ONE_BAD, {2: "price"}, ("B",)))
       for text in ("NaN", "Infinity", "1e400", "-1", "1_000", FULL_WIDTH, "1,5", "99999999999.99", "1.999")},
    "the price -0": (price("-0"), "p.csv", {}, Imported(ONE_BAD, {2: "price"}, ("B",))),
    "a stock beyond four bytes": (HEAD + b"A,Lamp,1,2147483648\nB,Desk,2,2\n", "p.csv", {},
                                  Imported(ONE_BAD, {2: "stock_quantity"}, ("B",))),
    "a gzip bomb": (gzip.compress(b"sku,name\n" + b"A,One\n" * (12 << 20)), "p.csv.gz", {},
                    Imported({}, error="unpacks to more")),
    "a zip bomb in a workbook": (packed({**parts(TOP, PRODUCT), "xl/workbook.xml": bytes(120 << 20)}), "p.xlsx", {},
                                 Refused(413, "unpacks")),
    "a zip bomb as a sheet": (packed({**parts(), "xl/worksheets/sheet1.xml": bytes(120 << 20)}), "p.xlsx", {},
                              Refused(413, "unpacks")),
    "a row far down a workbook": (book(TOP, PRODUCT, '<row r="1048576"><c r="A1048576" s="1"/></row>'), "p.xlsx", {},
                                  Imported({"created": 1}, skus=("OK1",))),
    "a row that no workbook has": (book(TOP, PRODUCT.replace('r="2"', 'r="1099511627776"')), "p.xlsx", {},
                                   Refused(400, "no row that a sheet can have")),
    "an error in a workbook": (book(TOP, row("A", '<c t="e"><v>#N/A</v></c>'), row("B", "Desk")), "p.xlsx", {},
                               Imported(ONE_BAD, {2: "#N/A"}, ("B",))),
    "a workbook that is not whole": (packed({**parts(), "xl/worksheets/sheet1.xml": sheet(TOP, PRODUCT)[:-40]}),
                                     "p.xlsx", {}, Refused(400, "damaged")),
    "a cut gzip": (gzip.compress(b"sku,name\nA,Lamp\n")[:-9], "p.csv.gz", {}, Refused(400, "cut off")),
    "a .csv that is an .xlsx": (zipped(a=b"x"), "p.csv", {}, Refused(415, "an .xlsx or .zip file")),
    "a .csv that is a picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), "p.csv", {}, Refused(415, "a PNG picture")),
    "more than is taken": (HEAD + b"x" * (9 << 20), "p.csv", {}, Refused(413, "")),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_or_every_row_of_it_accounted_for(emptied, name):
    content, filename, options, expected = FILES[name]
    answer = emptied.upload(content, filename, **options)
    if isinstance(expected, Refused):
        assert answer.status_code == expected.status, answer.text
        assert expected.reason in said(problem(answer))
        assert (emptied.total(), emptied.get("/api/v1/imports").json()["total"]) == (0, 0)
    else:
        assert answer.status_code == 202, answer.text
        compare(emptied, emptied.imported(answer.json()["task_id"]), expected)


def compare(service: Service, result: dict, expected: Imported) -> None:
    assert expected.error in (result["error"] or ""), result["error"]
    assert bool(expected.error) == (result["status"] == "failed")
    names = ("created", "updated", "unchanged", "superseded", "errors")
    assert {name: result[name] for name in names if result[name]} == expected.counts
    if not expected.error:
        assert result["processed_rows"] == result["total_rows"] == sum(expected.counts.values())
    told = {one["row"]: f"{one['field']}: {one['error']}" for one in result["error_details"]}
    told |= {one["row"]: str(one["superseded_by"]) for one in result["superseded_details"]}
    assert told.keys() == expected.lines.keys()
    assert all(part in told[line] for line, part in expected.lines.items()), told
    found = {one["sku"] for one in service.get(PRODUCTS).json()["items"]}
    assert expected.skus is None or found == set(expected.skus)


@pytest.fixture
def folder(environment) -> Path:
    return Path(environment["DATA_DIR"]) / "uploads"


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_an_upload_that_is_cut_off_leaves_nothing(emptied, folder):
    before = kept(folder)
    target = urlsplit(emptied.url)
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n' + HEAD
    with socket.create_connection((target.hostname, target.port), timeout=10) as client:
        client.sendall(
            f"POST {PRODUCTS}/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 3000000\r\n\r\n".encode()
            + part
        )
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert (kept(folder), emptied.get("/api/v1/imports").json()["total"]) == (before, 0)


def test_a_full_disk_is_507_and_leaves_nothing(committed, environment, tmp_path):
    settings = {**environment, "UPLOAD_DIR": str(tmp_path / "uploads")}
    with served(settings, wsgi="tests.hostile.full_disk:app") as url:
        answer = Service(url).upload(HEAD + ROWS)
        assert (answer.status_code, problem(answer)["code"]) == (507, "storage_full")
        assert (kept(tmp_path / "uploads"), Service(url).get("/api/v1/imports").json()["total"]) == (set(), 0)


@pytest.fixture
def workerless(committed, environment):
    """The web server and the clock; a test starts and kills the workers."""
    with served(environment) as url, running(environment, "-m", "catalog.cli", "clock"):
        yield Service(url)


def test_a_killed_worker_loses_no_row(workerless, environment):
    task = workerless.upload(HEAD + ROWS).json()["task_id"]
    with running(environment, "-m", "catalog.cli", "worker", "imports") as worker:
        wait_for(lambda: workerless.get(f"{PRODUCTS}/upload/{task}/status").json()["created"])
        for victim in [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]:
            os.kill(victim.pid, signal.SIGKILL)
    with running(environment, "-m", "catalog.cli", "worker", "imports"):
        result = workerless.imported(task)
    assert (result["status"], result["created"], result["errors"]) == ("completed", 50_000, 0)
    assert workerless.total() == 50_000


def test_a_cancel_as_late_as_it_may_come_says_truly_what_was_applied(workerless, environment):
    task = workerless.upload(HEAD + ROWS).json()["task_id"]
    with running(environment, "-m", "catalog.cli", "worker", "imports"):
        wait_for(lambda: workerless.get(f"{PRODUCTS}/upload/{task}/status").json()["created"] >= 30_000)
        answer = workerless.request("DELETE", f"/api/v1/imports/{task}")
        result = workerless.imported(task)
    assert (answer.status_code, result["status"]) in {(202, "cancelled"), (202, "completed"), (409, "completed")}
    assert result["created"] == workerless.total() == result["processed_rows"]
    assert (result["status"] == "completed") == (result["created"] == 50_000)


def test_the_disk_of_the_table_is_as_full_as_a_real_one():
    from tests.hostile import full_disk

    with full_disk.Full() as file, pytest.raises(OSError) as raised:
        file.write(b"x" * 100_000)
    assert raised.value.errno == errno.ENOSPC
