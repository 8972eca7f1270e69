import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ValidationFailed
from catalog.imports import reader
from catalog.imports.files import BadFile


def read(text: str, size: int = 3, delimiter: str = ","):
    """Read the records of a text that comes in blocks of `size` lines."""
    lines = iter(io.StringIO(text, newline=""))
    blocks = iter(lambda: list(itertools.islice(lines, size)), [])
    return list(reader.records(blocks, delimiter))


def test_records_are_numbered_by_the_line_they_start_on():
    text = 'sku,name\na,"one\ntwo\nthree"\nb,four\n'
    assert read(text) == [(1, ["sku", "name"], None), (2, ["a", "one\ntwo\nthree"], None), (5, ["b", "four"], None)]


def test_blank_lines_are_no_records_but_count_as_lines():
    assert [line for line, *_ in read("a,b\n\n\r\nc,d\n")] == [1, 4]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_line_ending_is_read(ending):
    assert read(ending.join(["a,b", "c,d", "e,f"])) == [
        (1, ["a", "b"], None),
        (2, ["c", "d"], None),
        (3, ["e", "f"], None),
    ]


def test_a_quote_that_is_never_closed_costs_only_its_own_line():
    records = read('sku,name\na,"open\nb,two\nc,three\n', size=1)
    assert [(line, cells) for line, cells, problem in records if problem is None] == [
        (1, ["sku", "name"]),
        (3, ["b", "two"]),
        (4, ["c", "three"]),
    ]
    assert [(line, problem) for line, _, problem in records if problem] == [(2, "A quote is opened and never closed.")]


def test_text_after_a_closing_quote_is_refused_and_the_next_record_is_read():
    (line, cells, problem), following = read('"a"b,1\nc,2\n')
    assert (line, cells) == (1, ['"a"b,1\n'])
    assert "quoting is broken" in problem
    assert following == (2, ["c", "2"], None)


def test_a_field_longer_than_128_kb_is_refused_and_the_next_record_is_read():
    (line, _, problem), following = read("a," + "x" * 1_048_577 + "\nb,2\n")
    assert (line, "1,048,576" in problem) == (1, True)
    assert following == (2, ["b", "2"], None)


def test_an_endless_record_ends_the_reading_instead_of_filling_the_memory():
    endless = itertools.repeat(['x","' + "y" * 100_000 + "\n"])
    with pytest.raises(BadFile, match=r"Line \d+: the record is too long"):
        list(reader.records(endless, ","))


def test_reading_in_vain_over_and_over_is_stopped(monkeypatch):
    monkeypatch.setattr(reader, "MAX_WASTED_LINES", 1_000)
    with pytest.raises(BadFile, match="too much of the quoting is broken"):
        read('x","x\n' * 200 + '"a"b\n', size=500)


cells = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=2, max_size=4)


@given(rows=st.lists(cells, min_size=1, max_size=12), size=st.integers(1, 5), delimiter=st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_read_back_with_its_lines(rows, size, delimiter):
    buffer, expected = io.StringIO(newline=""), []
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    for row in rows:
        written = list(io.StringIO(buffer.getvalue(), newline=""))
        expected.append((len(written) + 1, row, None))
        writer.writerow(row)
    assert read(buffer.getvalue(), size, delimiter) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_sniffed_from_the_header(delimiter):
    header = reader.read_header(delimiter.join([" Name", "SKU ", "Price", "x,y" if delimiter != "," else "x"]) + "\n")
    assert header.delimiter == delimiter
    assert header.places == {"sku": 1, "name": 0, "price": 2}


def test_title_means_name_and_unknown_columns_are_named():
    header = reader.read_header("_line,_field,_error,Title,SKU,Colour\n")
    assert header.places == {"sku": 4, "name": 3}
    assert header.ignored == ["colour"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("name,price\n", "no column sku"),
        ("sku,price\n", "no column name"),
        ("a;b\n1;2\n", "no column sku and no column name"),
        ("sku,name,SKU\n", "column sku twice"),
        ("sku,name,title\n", "column name twice"),
        ("sku,name,colour,Colour\n", "column colour twice"),
        ("sku,name,,price\n", "Column 3 of the header has no name"),
        ("s\0k\0u\0,\0n\0", "NUL"),
        ('sku,"name\n1,2\n', "no column sku"),
    ],
)
def test_a_wrong_header_is_refused_in_clear_words(text, message):
    with pytest.raises(ValidationFailed) as caught:
        reader.read_header(text)
    (error,) = caught.value.errors
    assert error["field"] == "file"
    assert message in error["message"] or text.startswith('sku,"')
