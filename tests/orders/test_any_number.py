"""An answer of FakeStore, or an element of the list, whose numbers arithmetic cannot hold, ends nothing but itself."""

from contextlib import suppress

import pytest

from catalog.orders import fakestore
from tests.hugenumbers import NUMBERS

ANSWERS = {
    "lone surrogate": rb'{"id": 7, "title": "\ud800"}',
    "NUL": rb'{"id": 7, "title": "x", "category": "\u0000"}',
    "NaN": b'{"id": 7, "title": "x", "price": NaN}',
    "too deep": b"[" * 100_000,
    "no UTF-8": b"\xff",
    "no object": b"7",
    "a doubled key": b'{"id": 7, "id": 7, "title": "x"}',
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("field", ["id", "price", "other"])
def test_fakestore_may_answer_any_number(number, field):
    body = {"id": "7", "title": '"x"'} | {field: number}
    written = ", ".join(f'"{name}": {value}' for name, value in body.items())
    read_or_unreachable(f"{{{written}}}".encode())


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_fakestore_answers_that_is_no_product_counts_as_no_answer(answer):
    with pytest.raises(fakestore.Unreachable):
        fakestore._read(7, 200, answer)


def read_or_unreachable(answer: bytes) -> None:
    with suppress(fakestore.Unreachable):
        assert fakestore._read(7, 200, answer)["id"] == 7
