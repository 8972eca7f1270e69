"""Products in the browser: found, changed, chosen over many pages."""

import csv
import json
import re
import threading
from datetime import UTC
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import expect

from tests.processes import wait_for


def make(address, *products):
    items = [{"sku": f"T-{number}", "name": f"Lamp {number}", **one} for number, one in enumerate(products)]
    answer = requests.post(f"{address}/api/v1/products/bulk", json={"items": items}, timeout=30)
    assert answer.json()["errors"] == 0
    return items


def test_an_empty_catalog_says_what_to_do(emptied, visit, looks):
    visit.page.goto("/console/products")
    visit.page.get_by_text("There are no products yet").wait_for()
    looks.at("products-empty", "#list")


def test_search_filters_and_paging_keep_their_place_in_the_address(emptied, visit, whole_service, looks):
    make(whole_service, *({"category": "Light" if number % 2 else "Dark"} for number in range(60)))
    page = visit.page
    page.goto("/console/products?sort=sku")
    looks.at("products", "#products")
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url(re.compile("cursor="))
    first = page.locator("#products tbody th").first.inner_text()
    page.reload()
    assert page.locator("#products tbody th").first.inner_text() == first
    page.get_by_label("Search").press_sequentially("lamp 59")
    expect(page.locator("#products tbody tr")).to_have_count(1)
    page.wait_for_url(re.compile("search=lamp"))
    page.go_back()
    page.wait_for_url(re.compile("cursor="))
    expect(page.locator("#products tbody th").first).to_have_text(first)
    page.wait_for_load_state("networkidle")
    page.goto("/console/products")
    page.get_by_label("Category").fill("Light")
    page.get_by_label("Category").press("Enter")
    page.get_by_text("30 products").wait_for()
    page.get_by_role("link", name="SKU", exact=True).click()
    expect(page.get_by_role("columnheader", name="SKU")).to_have_attribute("aria-sort", "ascending")
    page.get_by_label("Active or not").select_option("false")
    page.get_by_text("No product matches").wait_for()
    page.get_by_label("Active or not").select_option("true")
    page.get_by_text("30 products").wait_for()
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_text("No product matches").wait_for()
    assert visit.complaints == []


def test_a_product_is_edited_in_its_row_with_errors_beside_the_fields(emptied, visit, whole_service, rows, looks):
    make(whole_service, {"price": 5})
    page = visit.page
    page.goto("/console/products")
    page.get_by_role("button", name="Edit T-0").click()
    form = page.get_by_role("form", name="Edit T-0")
    form.get_by_label("Price").fill("cheap")
    form.get_by_role("button", name="Save").click()
    form.get_by_text("Not a valid number.").wait_for()
    assert form.get_by_label("Price").get_attribute("aria-invalid") == "true"
    visit.complaints.clear()  # the browser notes the refusal
    looks.at("product-edit", "form[aria-label='Edit T-0']")
    form.get_by_label("Price").fill("7.25")
    form.get_by_role("button", name="Save").click()
    page.get_by_text("T-0 is saved.").wait_for()
    assert rows("SELECT price::text, version FROM products") == [("7.25", 2)]


def test_who_comes_too_late_is_told_and_nothing_of_theirs_is_saved(emptied, visit, whole_service, rows):
    make(whole_service, {})
    page = visit.page
    page.goto("/console/products")
    page.get_by_role("button", name="Edit T-0").click()
    product_id = str(rows("SELECT id FROM products")[0][0])
    requests.patch(f"{whole_service}/api/v1/products/{product_id}", json={"name": "Theirs"}, timeout=10)
    form = page.get_by_role("form", name="Edit T-0")
    form.get_by_label("Name").fill("Mine")
    form.get_by_role("button", name="Save").click()
    page.get_by_text("Somebody else has changed this product meanwhile.").wait_for()
    assert rows("SELECT name FROM products") == [("Theirs",)]
    page.get_by_role("button", name="Show it as it is now").click()
    expect(form.get_by_label("Name")).to_have_value("Theirs")


def test_a_product_is_created_looked_at_and_deleted(emptied, visit, rows, looks):
    page = visit.page
    page.goto("/console/products")
    page.get_by_role("button", name="New product").click()
    dialog = page.get_by_role("dialog", name="New product")
    dialog.get_by_role("button", name="Create").click()
    dialog.get_by_text("Must not be blank.").or_(dialog.get_by_text("Shorter than")).first.wait_for()
    visit.complaints.clear()
    looks.at("product-new", "dialog[open]")
    dialog.get_by_label("Name").fill("Desk lamp")
    dialog.get_by_label("Price").fill("39.90")
    dialog.get_by_label("Address of its picture").fill("https://img.example.com/lamp.jpg")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Desk lamp").wait_for()
    page.get_by_role("region", name="History").get_by_text("create", exact=True).wait_for()
    looks.at("product", "#history-title")
    page.get_by_label("Stock").fill("12")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("region", name="History").get_by_text("update", exact=True).wait_for()
    assert rows("SELECT name, price::text, stock_quantity FROM products") == [("Desk lamp", "39.90", 12)]
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Delete this one product").wait_for()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("There are no products yet").wait_for()
    assert rows("SELECT count(*) FROM products") == [(0,)]


def test_products_are_chosen_on_many_pages_and_changed_exported_and_deleted_together(
    emptied, visit, whole_service, rows, tmp_path
):
    make(whole_service, *({} for _ in range(45)))
    page = visit.page
    page.goto("/console/products?sort=sku")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url(re.compile("cursor="))
    page.locator("[data-select]").first.check()
    page.get_by_text("21 selected").wait_for()
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_text("Deactivate 21 products?").wait_for()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("21 of 21 products changed.").wait_for()
    assert rows("SELECT count(*) FROM products WHERE NOT active") == [(21,)]
    page.get_by_role("region", name="Selected products").get_by_role("button", name="Activate", exact=True).click()
    wait_for(lambda: rows("SELECT count(*) FROM products WHERE active") == [(45,)])
    with page.expect_download() as download:
        page.get_by_role("region", name="Selected products").get_by_role("button", name="Export").click()
    download.value.save_as(tmp_path / "chosen.csv")
    with (tmp_path / "chosen.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 21
    page.get_by_role("region", name="Selected products").get_by_role("button", name="Delete").click()
    page.get_by_text("Delete 21 products?").wait_for()
    page.get_by_role("button", name="Keep it as it is").click()
    assert rows("SELECT count(*) FROM products") == [(45,)]
    page.get_by_role("region", name="Selected products").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("21 products deleted.").wait_for()
    assert rows("SELECT count(*) FROM products") == [(24,)]
    assert rows("SELECT count(*) FROM webhook_events WHERE name = 'product.deleted'") == [(21,)]
    assert json.loads(page.evaluate("sessionStorage.getItem('products')")) == []
    assert visit.complaints == []


def test_times_are_those_of_the_place_with_the_exact_one_on_hover(emptied, browser, whole_service, rows):
    make(whole_service, {})
    context = browser.new_context(base_url=whole_service, timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto("/console/products")
    shown = page.locator("#products time")
    expect(shown).to_have_text(re.compile("now|seconds? ago|minutes? ago"))
    created = rows("SELECT created_at FROM products")[0][0].astimezone(ZoneInfo("Asia/Tokyo"))
    assert created.strftime("%H:%M:%S") in shown.get_attribute("title")
    assert created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") in shown.get_attribute("title")
    context.close()


def test_a_deletion_that_is_clicked_twice_is_asked_for_once(emptied, visit, whole_service, rows):
    make(whole_service, {}, {})
    page, asked = visit.page, []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page.goto("/console/products")
    page.get_by_label("Select T-0").check()
    page.get_by_role("region", name="Selected products").get_by_role("button", name="Delete").dblclick()
    page.get_by_role("button", name="Yes").dblclick()
    page.get_by_text("1 products deleted.").wait_for()
    assert len(asked) == 1
    assert rows("SELECT count(*) FROM products") == [(1,)]


@pytest.fixture
def picture(tmp_path):
    """The address of a picture on another host."""
    (tmp_path / "lamp.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect/></svg>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/lamp.svg"
        server.shutdown()


def test_a_picture_is_asked_of_its_host_only_when_somebody_wants_to_see_it(
    emptied, visit, whole_service, rows, picture
):
    make(whole_service, {"image": picture})
    page = visit.page
    page.goto(f"/console/products/{rows('SELECT id FROM products')[0][0]}")
    page.get_by_role("region", name="History").get_by_text("create", exact=True).wait_for()
    assert visit.asked() == {urlsplit(whole_service).netloc}
    page.get_by_role("link", name="Show it here").click()
    shown = page.get_by_role("img", name="Lamp 0")
    shown.wait_for()
    wait_for(lambda: shown.evaluate("image => image.naturalWidth") == 40)
    assert visit.asked() == {urlsplit(whole_service).netloc, urlsplit(picture).netloc}
    assert visit.complaints == []
