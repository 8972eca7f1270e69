import gzip

import pytest

from catalog.errors import TooLarge, UnsupportedMediaType
from catalog.imports import files, survey
from catalog.imports.files import BadFile
from catalog.imports.survey import WrongEncoding

LIMIT = 1 << 30


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("encoding", "fallback", "found"),
    [
        ("utf-8", None, "utf-8"),
        ("utf-8-sig", None, "utf-8-sig"),
        ("utf-16", None, "utf-16"),
        ("utf-16-le", "utf-16-le", "utf-16-le"),
        ("iso8859-1", "iso8859-1", "iso8859-1"),
        ("cp1252", "cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found_and_the_text_read(write, encoding, fallback, found):
    path = write("sku,name\nä,Größe\nb,two\n".encode(encoding))
    assert survey.survey(path, fallback, LIMIT) == survey.Survey(found, 2)
    lines = [line for block in files.line_blocks(path, found) for line in block]
    assert lines == ["sku,name\n", "ä,Größe\n", "b,two\n"]


def test_utf_8_comes_before_the_named_encoding(write):
    assert survey.survey(write("sku\nä\n".encode()), "iso8859-1", LIMIT).encoding == "utf-8"


@pytest.mark.parametrize("padding", [0, files.CHUNK_BYTES - 12, 3 * files.CHUNK_BYTES])
def test_bytes_that_are_no_text_are_named_by_line_and_byte(write, padding):
    path = write(b"x" * padding + b"\nsku\nGr\xf6\xdfe,1\n")
    with pytest.raises(WrongEncoding, match=f"Line 3, byte {padding + 8}: 0xf6 is not valid utf-8"):
        survey.survey(path, None, LIMIT)


def test_a_text_that_ends_in_half_a_character_is_refused(write):
    with pytest.raises(WrongEncoding):
        survey.survey(write("sku\nä".encode()[:-1]), None, LIMIT)


def test_the_head_may_end_in_half_a_character(write):
    path = write(b"s" * (files.HEAD_BYTES - 1) + "ä\n".encode())
    text, whole = survey.head_text(path, None)
    assert (text, whole) == ("s" * (files.HEAD_BYTES - 1), False)


@pytest.mark.parametrize("text", ["h\n" + '"a\nb",1\n' * 5, "h\r\n" + "a\r\n" * 5, "h\r" + "a\r" * 5])
def test_records_are_counted_without_line_ends_in_quotes(write, text):
    assert survey.survey(write(text.encode()), None, LIMIT).records == 5


def test_a_line_end_between_two_chunks_is_counted_once(write):
    text = b"x" * (files.CHUNK_BYTES - 1) + b"\r\na\r\n"
    assert survey.survey(write(text), None, LIMIT).records == 1


def test_an_endless_line_is_refused(write):
    with pytest.raises(BadFile, match="Line 2 is longer than"):
        survey.survey(write(b"sku,name\n" + b"x" * (2 << 20)), None, LIMIT)


def test_a_packed_file_is_read_and_a_cut_one_refused(write):
    packed = gzip.compress(b"sku,name\na,1\n" * 100_000)
    assert survey.survey(write(packed), None, LIMIT).records == 199_999
    with pytest.raises(BadFile, match=r"The \.gz file is cut off"):
        survey.survey(write(packed[:-20]), None, LIMIT)
    with pytest.raises(BadFile, match=r"The \.gz file is damaged"):
        survey.survey(write(packed[:-8] + bytes(8)), None, LIMIT)


def test_a_gzip_bomb_is_stopped_early(write):
    bomb = gzip.compress(b"a,b\n" * (20 << 20))
    with pytest.raises(TooLarge, match="unpacks to more than"):
        survey.survey(write(bomb), None, LIMIT)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("products.csv", b"PK\x03\x04", "an .xlsx or .zip file"),
        ("products.csv", b"\x89PNG\r\n", "a PNG picture"),
        ("products.csv", b"\xff\xd8\xff\xe0", "a JPEG picture"),
        ("products.csv", b"\x1f\x8b\x08", "a gzip file"),
        ("products.csv.gz", b"sku,name", "not a gzip file"),
        ("products.xlsx", b"sku,name", "no .xlsx file"),
        ("products.xls", b"\xd0\xcf\x11\xe0", "is not one of"),
        ("products", b"sku,name", "is not one of"),
    ],
)
def test_a_file_of_another_kind_is_refused(write, name, content, message):
    with pytest.raises(UnsupportedMediaType, match=message):
        files.check_kind(write(content), name)
