"""'Try it out' and 'Execute' in Swagger UI, on every operation, with nothing filled in by hand but a file."""

from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Visit
from tests.test_examples import NOT_TAKEN
from tests.test_openapi import OPERATIONS


@pytest.fixture(scope="module")
def swagger(browser, address):
    """Swagger UI, once for all operations."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=address)
    visit = Visit(context.new_page())
    visit.page.goto("/api/docs")
    visit.page.wait_for_selector(".opblock")
    yield visit
    context.close()


def block(page, name):
    method, path = name.split(" ")
    shown = page.locator(f".opblock-{method.lower()}", has=page.locator(f".opblock-summary-path[data-path='{path}']"))
    return shown.first


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_can_be_tried_out(swagger, name, tmp_path):
    operation = block(swagger.page, name)
    operation.locator(".opblock-summary-control").click()
    operation.locator(".try-out__btn").click()
    if "multipart/form-data" in OPERATIONS[name].get("requestBody", {}).get("content", {}):
        file = tmp_path / "example.csv"
        file.write_text("sku,name,price\nLAMP-001,Desk lamp,39.9\n")
        operation.locator("input[type=file]").set_input_files(file)
    operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table .response-col_status").nth(1)
    status = int(answer.inner_text().split()[0])
    operation.locator(".opblock-summary-control").click()
    assert status < 500
    assert status not in NOT_TAKEN, answer.inner_text()
    assert [said for said in swagger.complaints if "Failed to load resource" not in said] == []  # of a 404, say


def test_trying_everything_out_asked_no_other_host(swagger, address):
    assert swagger.asked() == {urlsplit(address).netloc}
