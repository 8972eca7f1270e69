"""A preview reads the beginning of a file, however little is in it and however well that is packed."""

import gzip

import pytest

from catalog.imports import files, jsonlines, sources
from catalog.imports.reader import FIELDS

FIRST = b'{"sku":"A","name":"B"}\n'


def first_rows(path, monkeypatch):
    """Return the rows of a preview and how many lines it looked at."""
    looked = []
    real = jsonlines.records
    monkeypatch.setattr(
        jsonlines, "records", lambda found: real(line for line in found if looked.append(len(line)) is None)
    )
    source = sources.of(path, path.name, {}, files.unbounded)  # how fast this machine is, is not the question
    return source.first_rows(source.outline(), 10), len(looked)


@pytest.mark.parametrize("blank", [b"\n", b" \n", b"\r\n", b"\t" * 1000 + b"\n"])
def test_blank_lines_in_a_packed_file_are_read_to_a_bound(tmp_path, monkeypatch, blank):
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(FIRST + blank * ((20 << 20) // len(blank)), 9))
    rows, lines = first_rows(path, monkeypatch)
    assert [line for line, *_ in rows] == [1]
    assert lines <= jsonlines.FIRST_BYTES // len(blank) + 2


def test_rows_after_blank_lines_are_found_within_the_bound(tmp_path, monkeypatch):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\n" * 1000 + FIRST * 20)
    rows, _ = first_rows(path, monkeypatch)
    assert [line for line, *_ in rows] == list(range(1001, 1011))
    assert rows[0][1][FIELDS.index("sku")] == "A"


def test_a_first_line_longer_than_the_bound_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines, "FIRST_BYTES", 1_000)
    path = tmp_path / "p.jsonl.gz"
    long = FIRST.replace(b'"B"', b'"' + b"x" * (2 * jsonlines.FIRST_BYTES) + b'"')
    path.write_bytes(gzip.compress(long + FIRST * 5, 9))
    rows, lines = first_rows(path, monkeypatch)
    assert ([line for line, *_ in rows], lines) == ([1], 1)


class Ended(Exception):
    """The tick says that it is time."""


PACKED_TO_NOTHING = {
    "empty members": gzip.compress(b"") * 200_000,
    "padding": b"\0" * (4 << 20),
    "a long name": b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (4 << 20) + b"\0" + gzip.compress(b"")[10:],
}


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.gz", ".jsonl.gz"])
@pytest.mark.parametrize("packed", PACKED_TO_NOTHING.values(), ids=PACKED_TO_NOTHING)
def test_a_preview_ends_in_time_within_bytes_that_unpack_to_nothing(tmp_path, packed, suffix):
    path = tmp_path / f"p{suffix}"
    path.write_bytes(gzip.compress(b"sku,name\n") + packed)
    ticks = []

    def tick():
        ticks.append(None)
        if len(ticks) == 5:
            raise Ended

    with pytest.raises(Ended):
        sources.of(path, path.name, {"encoding": None, "delimiter": None}, tick).outline()


def test_a_whole_reading_ticks_within_bytes_that_unpack_to_nothing(tmp_path):
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(b"sku,name\n") + PACKED_TO_NOTHING["empty members"])
    ticks = []
    assert b"".join(files.chunks(path, 1 << 30, lambda: ticks.append(None))) == b"sku,name\n"
    assert len(ticks) > path.stat().st_size // files.CHUNK_BYTES
