"""'Try it out' and 'Execute' in Swagger UI, on every operation, with nothing filled in by hand but a file."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Route

from tests.browser.conftest import Visit
from tests.test_examples import NOT_TAKEN
from tests.test_openapi import METHODS, OPERATIONS

REFERENCE = re.compile(r'"#/components/(\w+)/([^"]+)"')


def tag_of(name: str) -> str:
    return OPERATIONS[name]["tags"][0]


def only_referenced(document: dict[str, Any]) -> dict[str, Any]:
    """Drop the components that no operation refers to, at any depth."""
    components, text, found = document.pop("components"), json.dumps(document), {}
    while new := {match for match in REFERENCE.findall(text) if match not in found}:
        found |= {(kind, name): components[kind][name] for kind, name in new}
        text = json.dumps([found[each] for each in new])
    schemes = {"securitySchemes": components.get("securitySchemes", {})}
    kinds = {kind: {name: found[kind, name] for of, name in found if of == kind} for kind, _ in found}
    return {**document, "components": schemes | kinds}


class SwaggerUI:
    """Swagger UI with the operations of one tag: with all of them, a click takes a second longer."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser, self._address = browser, address
        self._tag = ""
        self._context: BrowserContext | None = None
        self.visits: list[Visit] = []

    def visit(self, tag: str) -> Visit:
        """Return the page that shows this tag's operations."""
        if tag != self._tag:
            self.close()
            self._tag, self._context = tag, self._browser.new_context(base_url=self._address)
            self._context.route("**/api/openapi.json", self._cut)
            self.visits.append(Visit(self._context.new_page()))
            self.visits[-1].page.goto("/api/docs")
            self.visits[-1].page.wait_for_selector(".opblock")
        return self.visits[-1]

    def _cut(self, route: Route) -> None:
        response = route.fetch()
        document = response.json()
        document["paths"] = {path: given for path, given in document["paths"].items() if self._shows(given)}
        route.fulfill(response=response, json=only_referenced(document))

    def _shows(self, path: dict[str, dict[str, list[str]]]) -> bool:
        return any(self._tag in operation["tags"] for name, operation in path.items() if name in METHODS)

    def close(self) -> None:
        if self._context:
            self._context.close()


@pytest.fixture(scope="module")
def swagger(browser, address):
    shown = SwaggerUI(browser, address)
    yield shown
    shown.close()


def block(page, name):
    method, path = name.split(" ")
    shown = page.locator(f".opblock-{method.lower()}", has=page.locator(f".opblock-summary-path[data-path='{path}']"))
    return shown.first


@pytest.mark.parametrize("name", sorted(OPERATIONS, key=tag_of))
def test_an_operation_can_be_tried_out(swagger, name, tmp_path):
    visit = swagger.visit(tag_of(name))
    operation = block(visit.page, name)
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
    assert [said for said in visit.complaints if "Failed to load resource" not in said] == []  # of a 404, say


def test_trying_everything_out_asked_no_other_host(swagger, address):
    assert {host for visit in swagger.visits for host in visit.asked()} == {urlsplit(address).netloc}
