"""A line whose numbers arithmetic cannot hold, or that makes anything fail, is refused alone."""

import json
from dataclasses import replace

import pytest

from catalog.imports import service
from catalog.imports.check import Checker
from catalog.transforms import service as transforms
from tests.hugenumbers import NUMBERS
from tests.imports.conftest import counts

FIELDS = ("price", "stock_quantity", "rating_rate", "rating_count", "rating", "name", "active", "unknown")


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_a_line_with_such_a_number_is_refused_or_taken_and_the_others_go_on(importer, number):
    lines = [f'{{"sku": "N{place}", "name": "n", "{field}": {number}}}' for place, field in enumerate(FIELDS)]
    lines.append('{"sku": "honest", "name": "n"}')
    result = importer.run("\n".join(lines), "p.jsonl")
    assert result["created"] + result["errors"] == result["total_rows"] == len(lines)
    assert "honest" in importer.by_sku()


def test_a_line_larger_than_a_request_may_be_is_refused_alone(importer):
    lines = [{"sku": "A", "name": "x" * 1_000_000}, {"sku": "B", "name": "n"}]
    result = importer.run("\n".join(map(json.dumps, lines)), "p.jsonl")
    assert counts(result) == {"created": 1, "errors": 1}
    assert "The line is larger" in result["error_details"][0]["error"]


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_a_row_of_a_table_with_such_a_number_is_refused_or_taken_and_the_others_go_on(importer, number):
    header = "sku,name,price,stock_quantity,rating_rate,rating_count\n"
    rows = [f"N{place},n{',' * (place + 1)}{number}{',' * (3 - place)}" for place in range(4)]
    result = importer.run(header + "\n".join([*rows, "honest,n,,,,"]))
    assert result["created"] + result["errors"] == result["total_rows"] == 5
    assert "honest" in importer.by_sku()


@pytest.mark.parametrize("message", ["no such number", "a NUL: \0", "half a pair: \ud800"])
@pytest.mark.parametrize("method", ["fast", "slow"])
def test_a_row_that_makes_the_check_fail_is_refused_alone(importer, monkeypatch, method, message):
    whole = getattr(Checker, method)

    def failing(checker, cells):
        if "poison" in cells:
            raise ArithmeticError(message)
        return whole(checker, cells)

    monkeypatch.setattr(Checker, method, failing)
    result = importer.run("sku,name,stock_quantity\nA,poison,x\nB,n,1\n")
    assert counts(result) == {"created": 1, "errors": 1}


@pytest.mark.parametrize("message", ["no such number", "a NUL: \0", "half a pair: \ud800"])
def test_a_row_that_makes_a_transform_fail_is_refused_alone_and_says_so(importer, monkeypatch, message):
    apply = transforms.Step.apply

    def failing(text, *_):
        if text == "poison":
            raise OverflowError(message)
        return text

    monkeypatch.setattr(transforms.Step, "apply", lambda step, value: _applied(step, value, failing, apply))
    import_id = importer.submit("sku,name\nA,poison\nB,n\n", mapping='{"name": ["name", "strip"]}')
    service.run(import_id)
    result = importer.result(import_id)
    assert counts(result) == {"created": 1, "errors": 1}
    assert "no such number" in result["error_details"][0]["error"] or message != "no such number"


def _applied(step, value, failing, apply):
    step.transform = replace(step.transform, function=failing)
    return apply(step, value)
