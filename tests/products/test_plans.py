"""The plans that PostgreSQL makes for lists: an index for every order and filter, and deep pages for the same price."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from catalog.extensions import db
from catalog.products import listing, searching
from catalog.products.paging import order_of
from catalog.products.schemas import SORTS, ProductQuerySchema

ROWS = 60_000
FILL = text("""
INSERT INTO products (sku, name, description, price, stock_quantity, category, active)
SELECT 'SKU-' || lpad(n::text, 7, '0'),
       (ARRAY['Desk', 'Walnut', 'Wireless', 'Garden', 'Steel'])[1 + n % 5] || ' '
       || (ARRAY['lamp', 'chair', 'mouse', 'hose', 'drill', 'shelf', 'pen'])[1 + n % 7] || ' ' || n,
       'Number ' || n, CASE WHEN n % 50 = 0 THEN NULL ELSE n / 100.0 END, n % 500, 'Category ' || n % 100, n % 20 <> 0
FROM generate_series(1, :rows) n""")

ORDERS = [prefix + name for name in SORTS for prefix in ("", "-")]
FILTERS = [
    {"active": "false"},
    {"category": "Category 7"},
    {"category": "none of that name"},
    {"min_price": "599"},
    {"max_price": "0.50"},
    {"min_price": "300", "max_price": "300.10"},
    {"search": "lamp"},
    {"search": "garden hose"},
    {"search": "lam"},
    {"search": "nowhere"},
    {"search": "SKU-00123"},
]


@pytest.fixture(scope="module")
def catalog(app) -> Iterator[None]:
    with app.app_context():
        with db.engine.begin() as connection:
            connection.execute(FILL, {"rows": ROWS})
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE products"))
        yield
        db.session.remove()
        with db.engine.begin() as connection:
            connection.execute(text("TRUNCATE products RESTART IDENTITY CASCADE"))


@pytest.fixture
def planned(app, catalog):
    """Return a function that lists products and explains every statement on them that this took, run for real."""

    def plans(query: dict[str, Any], find: Any = listing.page) -> tuple[listing.Page, list[dict[str, Any]]]:
        found, explaining = [], False

        def explain(connection, cursor, statement, parameters, *_):
            nonlocal explaining
            if "FROM products" in statement and not statement.startswith("EXPLAIN") and not explaining:
                explaining = True
                explained = connection.exec_driver_sql(
                    f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters
                )
                found.append(explained.scalar_one()[0]["Plan"])
                explaining = False

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", explain)
            try:
                return find(db.session(), ProductQuerySchema().load(query)), found
            finally:
                event.remove(db.engine, "before_cursor_execute", explain)
                db.session.remove()

    return plans


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def kinds(plan: dict[str, Any]) -> set[str]:
    return {node["Node Type"] for node in nodes(plan)}


def rows_looked_at(plan: dict[str, Any]) -> float:
    return sum(
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in nodes(plan) if "Plans" not in node
    )


def page_plan(plans: list[dict[str, Any]]) -> dict[str, Any]:
    assert plans, "no statement was explained"
    return plans[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_walks_an_index_and_sorts_nothing(planned, order):
    page, plans = planned({"sort": order})
    assert len(page.items) == 20
    plan = page_plan(plans)
    assert not kinds(plan) & {"Sort", "Incremental Sort", "Seq Scan"}
    assert rows_looked_at(plan) <= 21


@pytest.mark.parametrize("order", ORDERS)
def test_a_deep_page_by_cursor_reads_as_much_as_the_first(planned, order):
    page, plans = planned({"sort": order})
    first = page_plan(plans)
    deep = order_of(order).cursor(_row_at(order, ROWS // 2))
    page, plans = planned({"sort": order, "cursor": deep})
    plan = page_plan(plans)
    assert len(page.items) == 20
    assert rows_looked_at(plan) <= rows_looked_at(first) + 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 1.5 * 40


def _row_at(order: str, offset: int) -> Any:
    key = order_of(order).key
    return db.session.execute(db.select(listing.Product, key.label("sort_key")).order_by(key).offset(offset)).first()


@pytest.mark.parametrize("query", FILTERS, ids=json.dumps)
def test_every_filter_uses_an_index_for_page_and_total(planned, query):
    page, plans = planned(query)
    for plan in plans:
        assert "Seq Scan" not in kinds(plan) or page.total > listing.EXACT_TOTAL_UP_TO
    assert rows_looked_at(page_plan(plans)) <= max(3 * page.total, 1_000)


def test_a_word_that_is_nowhere_is_not_looked_for_in_every_product(planned):
    page, plans = planned({"search": "nowhere", "sort": "name"})
    assert (page.total, page.items) == (0, [])
    assert all(rows_looked_at(plan) <= 1 for plan in plans)


def test_the_matches_of_a_search_are_read_once_for_page_and_total(planned):
    page, plans = planned({"search": "garden hose"})
    assert page.total == 1_715
    assert sum(rows_looked_at(plan) for plan in plans) <= 1.1 * page.total + 3 * 21 + sum(map(ctes_read, plans))


def ctes_read(plan: dict[str, Any]) -> float:
    return sum(node["Actual Rows"] for node in nodes(plan) if node["Node Type"] == "CTE Scan")


@pytest.mark.parametrize("order", ORDERS)
def test_a_common_word_is_found_by_walking_any_order_a_little(planned, monkeypatch, order):
    monkeypatch.setattr(listing, "EXACT_TOTAL_UP_TO", 1_000)
    page, plans = planned({"search": "number", "sort": order})
    assert (len(page.items), page.total_exact) == (20, False)
    assert not kinds(page_plan(plans)) & {"Sort", "Seq Scan", "Bitmap Heap Scan"}
    assert rows_looked_at(page_plan(plans)) <= searching.WALKED


@pytest.mark.parametrize("order", ORDERS)
def test_people_get_a_common_word_without_any_look_at_the_text_index(planned, order):
    page, plans = planned({"search": "num", "sort": order}, listing.glimpse)
    assert (len(page.items), page.total_exact) == (20, False)
    assert all(not kinds(plan) & {"Sort", "Seq Scan", "Bitmap Heap Scan"} for plan in plans)
    assert sum(map(rows_looked_at, plans)) <= searching.WALKED + 1 + 21


def test_a_walk_is_no_longer_for_a_page_that_lies_far_along(planned):
    page, plans = planned({"search": "nowhere", "sort": "name", "offset": 50_000}, listing.glimpse)
    assert page.items == []
    assert sum(map(rows_looked_at, plans)) <= searching.WALKED + 1 + 21


@pytest.mark.parametrize("order", ["-created_at", "name", "-price"])
@pytest.mark.parametrize("words", ["number", "lamp", "garden hose", "garden hose 5", "nowhere", "SKU-00123"])
def test_people_are_shown_the_products_that_the_list_shows_page_by_page(app, catalog, words, order):
    with app.app_context():
        query = ProductQuerySchema().load({"search": words, "sort": order})
        for _ in range(3):
            exact, glimpse = listing.page(db.session(), query), listing.glimpse(db.session(), query)
            assert [one.id for one in glimpse.items] == [one.id for one in exact.items]
            assert glimpse.next_cursor == exact.next_cursor
            assert not glimpse.total_exact or glimpse.total == exact.total
            if not exact.next_cursor:
                break
            query = {**query, "cursor": exact.next_cursor}
        db.session.remove()


def test_common_words_at_the_far_end_of_the_order_are_not_walked_to(planned, monkeypatch):
    monkeypatch.setattr(listing, "EXACT_TOTAL_UP_TO", 1_000)
    cheap, walk = planned({"search": "number", "sort": "-price", "max_price": "20"})
    assert cheap.total > 1_000
    assert [item.price for item in cheap.items] == sorted((item.price for item in cheap.items), reverse=True)
    assert sum(rows_looked_at(plan) for plan in walk) < ROWS


@pytest.mark.parametrize("query", [{"name": "lamp"}, {"sku": "00"}], ids=json.dumps)
def test_a_common_part_of_a_name_or_sku_is_found_by_walking_the_order(planned, query):
    page, plans = planned(query)
    assert len(page.items) == 20
    assert rows_looked_at(page_plan(plans)) < ROWS / 100


def test_a_list_takes_as_many_statements_for_a_hundred_products_as_for_one(planned):
    (one, few), (hundred, many) = planned({"limit": 1}), planned({"limit": 100})
    assert (len(one.items), len(hundred.items)) == (1, 100)
    assert len(few) == len(many) == 2


def test_the_planner_is_left_as_it_was_after_a_search(app, catalog):
    with app.app_context():
        listing.page(db.session(), ProductQuerySchema().load({"search": "lamp"}))
        assert db.session.scalar(text("SHOW enable_indexscan")) == "on"
        assert db.session.scalar(text("SHOW enable_seqscan")) == "on"
        db.session.remove()
