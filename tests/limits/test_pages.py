"""Pages of lists end before their rows have too many bytes; what follows a page is what it left out, and only that."""

import io
import json
import tracemalloc
import uuid

import pytest
from sqlalchemy import text

from catalog import pagination
from catalog.audit import service as audit
from catalog.extensions import db
from catalog.imports import corrections, dry_run, service
from tests.factories import make_product

PRODUCTS = "/api/v1/products"
KILOBYTES = 20
LONG = "lamp " * 1_400  # 7 kB, so that two rows fit
ROWS = 12
SORTS = ["created_at", "-created_at", "number", "-sku", "name", "-name", "price", "-price"]


@pytest.fixture
def listed(app, context, client, monkeypatch):
    """Twelve products of 7 kB, some with the same name and price, and pages of 20 kB."""
    monkeypatch.setitem(app.config, "PAGE_MAX_KB", KILOBYTES)
    for number in range(ROWS):
        make_product(sku=f"LONG-{number}", name=f"Lamp {number // 5}", price=1 + number // 5, description=LONG)
    return client


def walk(client, path, **query):
    """Return the items of each page, by cursor to the end."""
    pages, more = [], {}
    while True:
        page = client.get(path, query_string={**query, **more}).json
        pages.append(page["items"])
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return pages
        assert page["items"], "a page with more after it has an item"
        more = {"cursor": page["next_cursor"]}


def ids(pages):
    return [item["id"] for page in pages for item in page]


@pytest.mark.parametrize("search", [{}, {"search": "lam"}, {"sku": "long"}])
@pytest.mark.parametrize("sort", SORTS)
def test_products_by_cursor_loses_and_doubles_nothing_when_pages_are_cut(app, listed, monkeypatch, sort, search):
    pages = walk(listed, PRODUCTS, limit=5, sort=sort, **search)
    assert {len(page) for page in pages} == {2}
    monkeypatch.setitem(app.config, "PAGE_MAX_KB", 2_000)
    assert ids(pages) == ids(walk(listed, PRODUCTS, limit=100, sort=sort, **search))
    assert len(ids(pages)) == ROWS


def test_products_gives_a_row_that_alone_is_larger_than_a_page(app, listed, monkeypatch):
    monkeypatch.setitem(app.config, "PAGE_MAX_KB", 1)
    pages = walk(listed, PRODUCTS, limit=100)
    assert [len(page) for page in pages] == [1] * ROWS
    assert len(set(ids(pages))) == ROWS


@pytest.mark.parametrize("query", [{"offset": 0}, {"offset": 6}, {"offset": 3, "search": "lam"}])
def test_products_by_offset_is_refused_and_names_the_rows_that_fit_when_it_would_be_cut(listed, query):
    refused = listed.get(PRODUCTS, query_string={"limit": 5, **query})
    assert (refused.status_code, refused.json["code"]) == (413, "page_too_large")
    assert "PAGE_MAX_KB" in refused.json["detail"]
    assert "Ask for 2 rows" in refused.json["detail"]
    fits = listed.get(PRODUCTS, query_string={"limit": 2, **query})
    assert (fits.status_code, len(fits.json["items"])) == (200, 2)


def test_products_by_offset_in_pages_that_fit_is_whole(listed):
    found = [
        item["id"]
        for offset in range(0, ROWS, 2)
        for item in listed.get(PRODUCTS, query_string={"limit": 2, "offset": offset}).json["items"]
    ]
    assert found == ids(walk(listed, PRODUCTS, limit=100))


def graphql(client, query):
    return client.post("/graphql", json={"query": query}).json


def test_graphql_products_shows_the_next_page_when_it_is_cut(listed):
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        query = (
            f"{{ products(first: 5 {after}) {{ edges {{ node {{ uuid }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        page = graphql(listed, query)["data"]["products"]
        found += [edge["node"]["uuid"] for edge in page["edges"]]
        info = page["pageInfo"]
        after = f', after: "{info["endCursor"]}"' if info["hasNextPage"] else None
    assert found == ids(walk(listed, PRODUCTS, limit=100))


def test_graphql_all_products_is_refused_when_it_would_be_cut(listed):
    answer = graphql(listed, "{ allProducts(first: 5) { uuid } }")
    assert answer["errors"][0]["extensions"]["code"].lower() == "page_too_large"
    assert len(graphql(listed, "{ allProducts(first: 2) { uuid } }")["data"]["allProducts"]) == 2


def test_graphql_lists_of_one_request_share_the_bytes(listed):
    aliases = " ".join(
        f"a{number}: products(first: 5) {{ edges {{ node {{ uuid }} }} pageInfo {{ hasNextPage }} }}"
        for number in range(8)
    )
    pages = graphql(listed, f"{{ {aliases} }}")["data"].values()
    assert [len(page["edges"]) for page in pages] == [2] + [1] * 7
    assert all(page["pageInfo"]["hasNextPage"] for page in pages)


def test_the_audit_is_cut_also_where_its_entries_are_compressed(listed):
    pages = walk(listed, "/api/v1/audit", limit=100, entity="product")
    assert {len(page) for page in pages} == {2}
    assert len(set(ids(pages))) == ROWS


def test_the_history_of_a_product_is_cut(app, listed):
    product = make_product(description=LONG)
    for number in range(5):
        listed.patch(f"{PRODUCTS}/{product.id}", json={"description": f"{number} {LONG}"})
    pages = walk(listed, f"{PRODUCTS}/{product.id}/history", limit=100)
    assert len(set(ids(pages))) == 6
    assert [len(page) for page in pages] == [1] * 6  # each has what was before, too


def test_tasks_and_orders_are_cut(listed):
    for number in range(5):
        listed.post("/api/v1/tasks", json={"title": f"Task {number}", "description": LONG})
        items = [{"sku": f"S-{each}", "quantity": 1, "unit_price": 1} for each in range(100)]
        order = {"id": number + 1, "customer": "Ada", "items": items, "submitted_at": "2026-01-01T00:00:00Z"}
        assert listed.post("/api/v1/orders", json=order).status_code == 202
    for path in ("/api/v1/tasks", "/api/v1/orders"):
        pages = walk(listed, path, limit=100)
        assert (len(set(ids(pages))), len(ids(pages))) == (5, 5)
        assert max(map(len, pages)) < 5
        assert listed.get(path, query_string={"limit": 100, "offset": 0}).status_code == 413


def test_attempts_of_a_webhook_are_cut_with_their_payloads(listed):
    hook = listed.post("/api/v1/webhooks", json={"url": "https://8.8.8.8/", "events": ["*"]}).json["id"]
    for _ in range(5):
        event = db.session.scalar(
            text("INSERT INTO webhook_events (name, data) VALUES ('product.created', :data) RETURNING id"),
            {"data": json.dumps({"description": LONG})},
        )
        db.session.execute(
            text(
                "INSERT INTO webhook_attempts (webhook_id, delivery_id, event_id, event, attempt, response_time_ms)"
                " VALUES (:hook, uuidv7(), :event, 'product.created', 1, 1)"
            ),
            {"hook": hook, "event": event},
        )
    db.session.commit()
    pages = walk(listed, f"/api/v1/webhooks/{hook}/logs", limit=100)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len(set(ids(pages))) == 5
    assert all(item["payload"] == {"description": LONG} for page in pages for item in page)


def test_queued_writes_are_refused_by_their_bytes(listed):
    for number in range(5):
        graphql(
            listed, f'mutation {{ createProduct(title: "L {number}", price: 1, description: "{LONG}") {{ jobId }} }}'
        )
    refused = listed.get(f"{PRODUCTS}/writes", query_string={"limit": 5})
    assert (refused.status_code, refused.json["code"]) == (413, "page_too_large")
    assert len(listed.get(f"{PRODUCTS}/writes", query_string={"limit": 2}).json["items"]) == 2


def insert_import(**values):
    """Write an ended import, with one header of 7 kB."""
    values = {"header": json.dumps([LONG]), "asked": json.dumps({"id": "anonymous"}), **values}
    return db.session.scalar(
        text(
            "INSERT INTO imports (filename, size, options, header, ignored_columns, state, asked_by)"
            " VALUES ('p.csv', 1, '{}', :header, '[]', 'completed', :asked) RETURNING id"
        ),
        values,
    )


def test_the_history_of_imports_is_refused_by_its_bytes_and_the_console_shows_what_fits(listed):
    known = {str(insert_import()) for _ in range(5)}
    db.session.commit()
    assert listed.get("/api/v1/imports", query_string={"limit": 5}).status_code == 413
    found, offset = set(), 0
    while offset < 5:
        page = pagination.shrunk(lambda **query: listed_imports(listed, **query), limit=5, offset=offset)
        assert page["limit"] == len(page["items"]) or not page["has_more"]
        found |= {item["id"] for item in page["items"]}
        offset += page["limit"]
    assert found == known
    assert listed.get("/console/imports").status_code == 200


def listed_imports(client, **query):
    answer = client.get("/api/v1/imports", query_string=query)
    if answer.status_code == 413:
        raise pagination.PageTooLarge(int(answer.json["detail"].partition("Ask for ")[2].split()[0]))
    return answer.json


def test_refused_rows_of_an_import_are_cut(listed):
    import_id = insert_import(header='["sku", "description"]')
    for line in range(2, 7):
        db.session.execute(
            text(
                "INSERT INTO import_errors (import_id, line, field, code, message, data)"
                " VALUES (:id, :line, 'sku', 'required', 'Missing', :data)"
            ),
            {"id": import_id, "line": line, "data": json.dumps(["", LONG])},
        )
    db.session.commit()
    result = listed.get(f"{PRODUCTS}/import/{import_id}/result").json["result"]
    assert [detail["row"] for detail in result["error_details"]] == [2, 3]
    lines, after = [], 0
    while after is not None:
        page = corrections.page(uuid.UUID(str(import_id)), after)
        lines += [item["line"] for item in page["items"]]
        after = page["next"]
    assert lines == [2, 3, 4, 5, 6]


def test_differences_of_a_dry_run_are_cut(committed, monkeypatch):
    monkeypatch.setitem(committed.config, "PAGE_MAX_KB", 40)
    client = committed.test_client()
    with committed.app_context():
        for number in range(ROWS):
            make_product(sku=f"LONG-{number}", name="Lamp", description=LONG)
        rows = "".join(f"LONG-{number},Lamp,{LONG}!\n" for number in range(ROWS))
        form = {"file": (io.BytesIO(f"sku,name,description\n{rows}".encode()), "p.csv"), "dry_run": "true"}
        import_id = uuid.UUID(client.post(f"{PRODUCTS}/upload", data=form).json["task_id"])
        service.run(import_id)
        imported = service.get(import_id)
        assert len(imported.dry_run["differences"]) == 2
        skus, after = [], 0
        while after is not None:
            page = dry_run.page(imported, after)
            assert len(page["items"]) == 2
            skus += [item["sku"] for item in page["items"]]
            after = page["next"]
    assert skus == [f"LONG-{number}" for number in range(ROWS)]


def test_mappings_which_have_no_pages_have_the_bytes_of_one(listed):
    def keep(name, column):
        body = {"name": name, "mapping": {column: "name"}}
        return listed.post("/api/v1/imports/mappings", json=body)

    assert [keep(f"m{number}", "x" * 9_000).status_code for number in range(3)] == [201, 201, 409]
    refused = keep("m3", "x" * 9_000)
    assert (refused.json["code"], "PAGE_MAX_KB" in refused.json["detail"]) == ("quota_exceeded", True)
    assert keep("small", "x").status_code == 201
    larger = listed.put("/api/v1/imports/mappings/small", json={"mapping": {"x" * 9_000: "name"}})
    assert larger.status_code == 409
    listed.delete("/api/v1/imports/mappings/m0")
    assert keep("m2", "x" * 9_000).status_code == 201


def test_a_page_of_ninety_megabytes_is_never_loaded(context, client):
    db.session.execute(
        text(
            "INSERT INTO products (sku, name, description)"
            " SELECT 'BIG-' || n, 'big', repeat('abcde', 180000) FROM generate_series(1, 100) n"
        )
    )
    db.session.commit()
    client.get(PRODUCTS, query_string={"limit": 1})
    tracemalloc.start()
    try:
        page = client.get(PRODUCTS, query_string={"limit": 100, "sku": "BIG-"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(page.json["items"]), page.json["has_more"], page.json["total"]) == (2, True, 100)
    assert peak < 10 * len(page.data) < 20_000_000


def test_audit_is_read_in_pages_by_the_console_too(listed):
    assert len(audit.page({"limit": 100, "entity": "product"})["items"]) == 2
    assert listed.get("/console/audit").status_code == 200
    assert listed.get("/console/products").status_code == 200
