"""Whatever bytes are sent as a file, or as the form around it: a clear refusal, or every row accounted for."""

import gzip
import io
import itertools
import uuid
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.extensions import db
from catalog.imports import reader, service
from catalog.imports.files import BadFile
from tests.imports.test_kinds import book, lines
from tests.profiles import examples

SECONDS = 20  # far above what a small file takes: an example that takes longer hangs
EXAMPLES = settings(
    max_examples=examples(30),
    deadline=SECONDS * 1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CSV = b'sku,name,price\r\nA,"One, ""two""",1\r\nB,Two,2.50\r\na,again,3\r\nC,"two\r\nlines",\r\n'
JSONL = lines({"sku": "A", "name": "One", "price": 1}, {"sku": "a", "title": "Two"}, {"sku": "", "name": "x"}).encode()
XLSX = book(["sku", "name", "price"], ["A", "One", 1], ["a", "Two", 2.5], [None, None], ["B", "=1+1", "x"])
FILES = {
    "p.csv": CSV,
    "p.tsv": CSV.replace(b",", b"\t"),
    "p.csv.gz": gzip.compress(CSV, mtime=0),
    "p.jsonl": JSONL,
    "p.jsonl.gz": gzip.compress(JSONL, mtime=0),
    "p.xlsx": XLSX,
}
# What readers stumble over: quotes, line ends of every kind, NUL, marks, halves of characters, long and odd numbers.
NASTY = (
    *(b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\0", b"\x0b", b"\x1c", b"\x1f", b"\\", b"'="),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc2\x85", b"\xe2\x80\xa8", b"\\ud800"),
    *(b"1e999", b"NaN", b"-0", b"9" * 30, b"{", b"[" * 40, b"sku", b"name", b"--", b"x" * 3_000),
    b"Content-Disposition: form-data",
)
pieces = st.sampled_from(NASTY) | st.binary(max_size=8)


@st.composite
def edited(draw, whole: bytes) -> bytes:
    """Draw a file or a body with a few places overwritten, cut out or doubled."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(len(whole), start + 40)))
        whole = whole[:start] + draw(pieces) + whole[end if draw(st.booleans()) else start :]
    return whole


def any_file(name: str) -> st.SearchStrategy[bytes]:
    """Draw anything under this name: noise, something like it, and sound files with a few faults."""
    soup = st.lists(pieces, max_size=30).map(b"".join)
    like = {"p.csv": soup.map(lambda rest: b"sku,name,price\n" + rest), "p.xlsx": broken_books()}
    return st.one_of(st.binary(max_size=300), soup, edited(FILES[name]), like.get(name, edited(FILES[name])))


@st.composite
def broken_books(draw) -> bytes:
    """Draw an .xlsx that is a sound container with one part of it edited, or missing."""
    parts = {
        part: zipfile.ZipFile(io.BytesIO(XLSX)).read(part) for part in zipfile.ZipFile(io.BytesIO(XLSX)).namelist()
    }
    chosen = draw(st.sampled_from(sorted(parts)))
    content = draw(st.none() | edited(parts[chosen]) | st.binary(max_size=50))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for part, bytes_of_it in parts.items():
            if part != chosen or content is not None:
                made.writestr(part, content if part == chosen else bytes_of_it)
    return buffer.getvalue()


def check(importer, answer) -> None:
    """Whatever was sent was refused in words, or is done to the end with every row accounted for."""
    if answer.status_code != 202:
        assert answer.status_code in (400, 413, 415), (answer.status_code, answer.json)
        assert answer.mimetype == "application/problem+json"
        assert answer.json["detail"]
        return
    import_id = uuid.UUID(answer.json["task_id"])
    service.run(import_id)
    result = importer.result(import_id)
    assert result["status"] in ("completed", "failed"), result
    if result["status"] == "failed":
        assert service.get(import_id).error
        assert "wrong on our side" not in service.get(import_id).error
        return
    applied = result["created"] + result["updated"] + result["unchanged"]
    assert applied + result["superseded"] + result["errors"] == result["total_rows"] == result["processed_rows"]
    assert len(result["error_details"]) == result["errors"]


def empty_products() -> None:
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM products"))


@pytest.mark.parametrize("name", FILES)
def test_the_files_that_are_made_wrong_here_are_sound_to_begin_with(importer, name):
    result = importer.run(FILES[name], name)
    assert result["status"] == "completed"
    assert result["created"] >= 1


@pytest.mark.parametrize("name", FILES)
@EXAMPLES
@given(data=st.data())
def test_any_bytes_as_a_file_are_refused_or_accounted_for(importer, name, data):
    empty_products()
    check(importer, importer.upload(data.draw(any_file(name)), name))


def form(content: bytes = CSV, boundary: bytes = b"frontier") -> bytes:
    """Return the body of an upload with an option beside the file."""
    return (
        b'--%b\r\nContent-Disposition: form-data; name="mode"\r\n\r\nupsert\r\n'
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\nContent-Type: text/csv\r\n\r\n'
        b"%b\r\n--%b--\r\n" % (boundary, boundary, content, boundary)
    )


def send(importer, body: bytes, content_type: str):
    return importer.client.post("/api/v1/products/upload", data=body, content_type=content_type)


def test_the_form_that_is_made_wrong_here_is_sound_to_begin_with(importer):
    assert send(importer, form(), "multipart/form-data; boundary=frontier").status_code == 202


@EXAMPLES
@given(body=st.binary(max_size=300) | st.lists(pieces, max_size=30).map(b"".join) | edited(form()))
@example(form().replace(b'filename="p.csv"', b'filename="\xed\xa0\x80.csv"'))
@example(form().replace(b'filename="p.csv"', b"filename*=utf-7''%2B.csv"))
@example(form().replace(b'name="mode"', b'name="mode\0"'))
@example(form() * 40)
@example(form()[:-20])
def test_any_bytes_as_a_form_are_refused_or_accounted_for(importer, body):
    empty_products()
    check(importer, send(importer, body, "multipart/form-data; boundary=frontier"))


printable = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80)
types = st.sampled_from(["multipart/form-data", "MULTIPART/form-data", "multipart/mixed", "text/csv", ""]) | printable
boundaries = st.sampled_from(
    ["; boundary=frontier", '; boundary="frontier"', "; boundary=", ";boundary", "; charset=x"]
)


@EXAMPLES
@given(kind=types, boundary=boundaries | printable, body=st.just(form()) | st.binary(max_size=50))
def test_any_content_type_is_refused_or_understood(importer, kind, boundary, body):
    empty_products()
    check(importer, send(importer, body, kind + boundary))


def read(content: str, size: int, delimiter: str) -> tuple[list, str | None]:
    """Read the records of a text in blocks of so many lines, and why reading ended early."""
    rows = iter(io.StringIO(content, newline=""))
    found = []
    try:
        for record in reader.records(iter(lambda: list(itertools.islice(rows, size)), []), delimiter):
            found.append(record)
    except BadFile as error:
        return found, error.detail
    return found, None


texts = st.lists(
    st.sampled_from(['"', '""', ",", ";", "\n", "\r\n", "\r", "\0", "a", " ", "\u2028", "é"]) | st.text(max_size=3)
)


@settings(max_examples=examples(500), deadline=SECONDS * 1000)
@given(content=texts.map("".join), delimiter=st.sampled_from(reader.DELIMITERS), size=st.integers(1, 6))
def test_any_text_is_read_to_its_end_the_same_whatever_the_size_of_its_blocks(content, delimiter, size):
    whole, reason = read(content, 1_000_000, delimiter)
    assert reason is None
    assert read(content, size, delimiter) == (whole, None)
    numbers = [line for line, *_ in whole]
    assert numbers == sorted(set(numbers))
    written = list(io.StringIO(content, newline=""))
    assert all(1 <= line <= len(written) for line in numbers)
    assert bool(whole) == any(line.strip("\r\n") for line in written)
