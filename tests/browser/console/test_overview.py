"""The overview: numbers, charts with their tables, and that both follow what happens."""

import requests


def test_it_shows_figures_and_charts_with_their_numbers(emptied, visit, whole_service, looks):
    for number in range(3):
        requests.post(f"{whole_service}/api/v1/products", json={"name": f"Lamp {number}"}, timeout=10)
    visit.page.goto("/")
    assert visit.page.url.endswith("/console/overview")
    visit.page.get_by_role("region", name="Products").get_by_text("3", exact=True).wait_for()
    numbers = visit.page.locator("section", has=visit.page.get_by_role("heading", name="Product writes"))
    visit.page.get_by_role("row", name="orders").get_by_text("idle").wait_for()
    looks.at("overview", "canvas")
    numbers.get_by_text("The numbers").click()
    assert numbers.locator("tbody tr").last.locator("td").first.inner_text() == "3"
    assert numbers.locator("canvas").count() == 1


def test_it_follows_what_happens_without_being_loaded_again(emptied, visit, whole_service):
    visit.page.goto("/console/overview")
    tile = visit.page.get_by_role("region", name="Products")
    tile.get_by_text("0", exact=True).wait_for()
    requests.post(f"{whole_service}/api/v1/products", json={"name": "Lamp"}, timeout=10)
    tile.get_by_text("1", exact=True).wait_for(timeout=20_000)
    assert visit.complaints == []


def test_light_and_dark_can_be_switched_and_stay(emptied, visit):
    visit.page.goto("/console/overview")
    visit.page.get_by_role("button", name="Dark or light").click()
    visit.page.goto("/console/products")
    assert visit.page.locator("html").get_attribute("data-bs-theme") == "dark"


def test_the_keyboard_reaches_the_content_past_the_menu(emptied, visit):
    visit.page.goto("/console/overview")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.closest('main') !== null")
