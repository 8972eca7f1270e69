"""Swagger UI, ReDoc and GraphiQL in a real browser: they work, without any other host, under their policy."""

from urllib.parse import urlsplit

import pytest

PAGES = {
    "/api/docs": "#docs .opblock",
    "/api/redoc": "#docs [data-section-id^='tag/']",
    "/graphql": ".graphiql-container .CodeMirror",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_any_other_host_and_without_a_complaint(visit, address, path, screenshots):
    answer = visit.page.goto(path)
    visit.page.wait_for_selector(PAGES[path])
    visit.page.wait_for_load_state("networkidle")
    if screenshots:
        visit.page.screenshot(path=screenshots / f"{path.strip('/').replace('/', '-')}.png")
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert visit.asked() == {urlsplit(address).netloc}
    assert visit.complaints == []


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_short_addresses_lead_to_the_pages(visit, path):
    visit.page.goto(path)
    assert urlsplit(visit.page.url).path == f"/api{path}"


def test_graphiql_shows_the_examples_and_runs_one(visit, address):
    visit.page.goto("/graphql")
    tabs = visit.page.locator(".graphiql-tab-button")
    tabs.first.wait_for()
    assert {"Products", "CreateProductSync", "WebhookLogs"} <= set(tabs.all_inner_texts())
    tabs.get_by_text("Products", exact=True).click()
    visit.page.locator(".graphiql-execute-button").click()
    visit.page.locator(".result-window").get_by_text('"data"').wait_for()
    assert visit.asked() == {urlsplit(address).netloc}
    assert visit.complaints == []


def test_redoc_finds_an_operation_by_its_words(visit):
    visit.page.goto("/redoc")
    visit.page.get_by_placeholder("Search...").fill("bulk deletion")
    visit.page.locator("[data-role='search:results']").get_by_text("Watch a bulk deletion").first.wait_for()
    assert visit.complaints == []
