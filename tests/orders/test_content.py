"""The canonical form, its hash, and the fast way through the checks."""

import hashlib
import json
import random
import re
from datetime import timedelta
from decimal import Decimal

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.config import ROOT
from catalog.orders import backoff, content
from catalog.orders.certain import certain
from catalog.orders.schemas import EXAMPLE, QUEUED_EXAMPLE, OrderSubmitSchema
from catalog.strictjson import parse_json
from tests.orders.conftest import body

PAGE = (ROOT / "docs" / "orders.md").read_text()
VECTORS = re.findall(r"```json\n(.*?)\n```\n\n```text\n(.*?)\n([0-9a-f]{64})\n```", PAGE, re.DOTALL)


def test_there_are_vectors_in_the_docs():
    assert len(VECTORS) >= 3


@pytest.mark.parametrize(("given_", "canonical", "digest"), VECTORS)
def test_the_vectors_of_the_docs_hold(given_, canonical, digest):
    order = OrderSubmitSchema().load(parse_json(given_.encode()))
    assert content.canonical(order).decode() == canonical
    assert content.digest(order) == digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_the_example_of_the_api_has_its_true_hash():
    assert QUEUED_EXAMPLE["hash"] == content.digest(OrderSubmitSchema().load(EXAMPLE))


def by_the_schema(given_):
    try:
        return ma.Schema.load(OrderSubmitSchema(), given_)
    except ma.ValidationError:
        return None


numbers = st.one_of(
    st.integers(-2, 2_000_000),
    st.booleans(),
    st.none(),
    st.text(max_size=2),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(min_value=0, max_value=10**10, places=4),
    st.sampled_from([Decimal("-0.0"), Decimal("1E+9"), Decimal("1E-5"), Decimal("1e400"), 2**53, 2**53 - 1, 10**400]),
)
texts = st.one_of(st.text(max_size=5), st.sampled_from([" ", " A ", "x" * 100, "x" * 256, "\0", "\x1f", "\u2003"]))
items = st.fixed_dictionaries(
    {"sku": texts, "quantity": numbers, "unit_price": numbers}, optional={"colour": st.just("red")}
)
times = st.one_of(
    st.datetimes(timezones=st.timezones()).map(lambda each: each.isoformat()),
    st.datetimes().map(str),
    st.text(max_size=3),
    st.sampled_from(
        ["2026-01-05T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-01-01T00:00:00Z", "20260105T100000Z", 5, None]
    ),
)
good_items = st.fixed_dictionaries(
    {"sku": st.text("aB1 ", min_size=1, max_size=5), "quantity": st.integers(1, 9), "unit_price": st.integers(0, 9)}
)
orders = st.fixed_dictionaries(
    {
        "id": st.one_of(numbers, st.integers(1, 99)),
        "customer": texts,
        "items": st.one_of(st.lists(st.one_of(items, good_items), max_size=3), st.lists(good_items, max_size=3), texts),
        "submitted_at": times,
    },
    optional={"colour": st.just("red")},
)


@given(orders)
def test_the_fast_way_takes_nothing_that_the_schema_refuses_and_makes_the_same_of_it(order):
    fast = certain(order)
    if fast is not None:
        slow = by_the_schema(order)
        assert fast == slow
        assert content.canonical(fast) == content.canonical(slow)


@pytest.mark.parametrize("price", [10, Decimal("0.5"), Decimal("1E+2"), Decimal("-0.0")])
def test_the_fast_way_takes_what_is_usual(price):
    order = body(items=[{"sku": " P1", "quantity": 3, "unit_price": price}])
    assert certain(order) == by_the_schema(order) is not None


def test_a_change_of_any_field_changes_the_hash():
    plain = certain(body(1, "A", "B"))
    others = [
        {**plain, "id": 2},
        {**plain, "customer": "acme Corp"},
        {**plain, "items": plain["items"][::-1]},
        {**plain, "items": plain["items"][:1]},
        {**plain, "submitted_at": plain["submitted_at"] + timedelta(microseconds=1)},
        *(
            {**plain, "items": [{**plain["items"][0], **change}, plain["items"][1]]}
            for change in ({"sku": "C"}, {"quantity": 4}, {"unit_price": Decimal("10.0001")})
        ),
    ]
    assert len({content.digest(each) for each in [plain, *others]}) == 9
    assert content.differences(plain, plain) == []


def test_a_total_is_exact():
    items_ = [{"sku": "A", "quantity": 3, "unit_price": Decimal("0.1")}] * 200
    assert content.total(items_) == Decimal(60)
    assert json.loads(json.dumps(float(content.TOTAL_BELOW - Decimal("0.0001")))) == 99999999999.9999


@pytest.mark.parametrize("seed", range(20))
def test_pauses_double_up_to_an_hour_and_end_after_a_day(seed):
    chance, age, attempts = random.Random(seed), 0.0, 0
    while (pause := backoff.pause(attempts + 1, age, chance.uniform)) is not None:
        attempts += 1
        assert 0 < pause <= 1.2 * min(2**attempts, 3_600)
        assert pause >= 0.8 * min(2**attempts, 3_600) or age + pause >= 86_400
        age += pause
    assert 86_400 <= age < 86_500
    assert 25 < attempts < 50
