"""What an upload tries while its client waits: bounded in calls and characters, whatever the mapping."""

import json
import math
from types import SimpleNamespace

import pytest

from catalog.imports import mapping, mappings, reader
from catalog.imports.mapping import TRIED_CHARACTERS, try_out
from catalog.transforms import service as transforms

FIELDS = ["name", "description", "category", "image", "price", "active", "stock_quantity", "rating_rate"]
HEADER = reader.header_of(["sku", *FIELDS])
COLUMNS = mapping.read({name: [name, *[["regex_extract", "(?:a|ab){1,100}c"]] * 20] for name in FIELDS})
ROWS = [(line, ["S", *["ab" * 2_000] * len(FIELDS)], None) for line in range(2, 22)]


@pytest.fixture
def calls(monkeypatch):
    """Record the steps that are applied; each advances the clock by 0.1 s."""
    made = []

    def apply(step, value):
        made.append(step)
        return value

    monkeypatch.setattr(transforms.Step, "apply", apply)
    for module in (mapping, transforms):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: len(made) / 10))
    return made


def test_no_step_begins_after_the_time_for_all_of_them(calls):
    try_out(ROWS, HEADER, COLUMNS)
    assert len(calls) == 10 * mapping.TRIED_SECONDS


def test_without_a_clock_in_the_way_every_step_of_every_row_is_tried(calls, monkeypatch):
    monkeypatch.setattr(mapping, "TRIED_SECONDS", math.inf)
    try_out(ROWS, HEADER, COLUMNS)
    assert len(calls) == len(ROWS) * len(FIELDS) * 20


def test_a_cell_of_more_than_64_kb_is_not_tried(calls):
    try_out([(2, ["S", "x" * (TRIED_CHARACTERS + 1), *[""] * (len(FIELDS) - 1)], None)], HEADER, COLUMNS)
    assert calls == []


def test_an_import_itself_has_no_such_end(calls):
    checker = mapping.checker(HEADER, COLUMNS)
    for _, cells, _ in ROWS[:2]:
        checker.fast(cells)
    assert len(calls) == 2 * len(FIELDS) * 20


def test_a_header_of_thousands_of_columns_is_compared_once(monkeypatch):
    compared = []

    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            compared.append(other)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = [Name(f"c{number}") for number in range(15_500)]
    monkeypatch.setattr(reader, "_plain", lambda *_: [Name("sku"), Name("name"), *names])
    reader.header_of(["sku", "name", *names])
    assert len(compared) < 40 * len(names)


def test_a_suggestion_for_many_columns_and_a_mapping_of_many_are_answered(client):
    names = [f"c{number}" for number in range(1_000)]
    assert len(mappings.suggest(names)["unmatched"]) == 1_000
    answer = client.post(
        "/api/v1/imports/mappings", json={"name": "m", "mapping": {name: json.dumps(name) for name in names}}
    )
    assert answer.status_code == 400
