"""What the figures of bench/ rest on."""

import csv

import pytest

from bench.imports import products
from bench.kit.figures import Bar, Timing, percentile
from catalog.imports.check import Checker
from catalog.imports.reader import Header


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "products.csv"
    products.write(file, 500)
    with file.open(encoding="utf-8", newline="") as source:
        return list(csv.reader(source, strict=True))


def test_the_same_number_of_products_makes_the_same_file(tmp_path):
    for name in ("one", "other"):
        products.write(tmp_path / name, 100)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_every_sku_of_the_product_file_is_another_one_and_the_hard_characters_occur(rows):
    text = "".join(row[2] + row[6] for row in rows[1:])

    assert len({row[0].lower() for row in rows[1:]}) == 500
    assert all(sign in text for sign in ',"\nö軽')


def test_the_importer_takes_every_row_of_the_product_file(rows):
    checker = Checker(Header(",", rows[0], {name: place for place, name in enumerate(rows[0])}, []))

    assert all(checker.slow(row) for row in rows[1:])


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_measured(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_a_bar_that_was_not_measured_falls_short():
    assert not Bar("memory", None, "<=", 150).passed
    assert [Bar("ratio", value, "<=", 2.0).passed for value in (1.9, 2.0, 2.1)] == [True, True, False]
    assert [Bar("ratio", value, "<", 2.0).passed for value in (1.9, 2.0)] == [True, False]


def test_the_pace_is_that_of_the_median_run():
    timing = Timing("a", "copy", 300, [1.0, 30.0, 3.0])

    assert (timing.median, timing.pace) == (3.0, 100.0)
