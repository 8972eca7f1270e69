"""Pages in a real Chromium, driven by Playwright; whatever a page asks for or complains about is remembered."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from catalog.commands.develop import CHROMIUM
from tests.conftest import empty_tables
from tests.processes import served


@dataclass
class Visit:
    """A page, with the hosts that it asked and the complaints that its console showed."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def asked(self) -> set[str]:
        """Return the hosts of the requests, without what the page held itself (`data:`, `blob:`)."""
        return self.hosts - {""}


@pytest.fixture(scope="session")
def address(app, environment) -> Iterator[str]:
    """The service's address, e.g. `http://127.0.0.1:23456`."""
    with served(environment, workers=2) as url:
        yield url
    empty_tables(app)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's own."""
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, CHROMIUM)))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address) -> Iterator[Visit]:
    """A new page of 1280 by 800, under the service's address."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=address)
    yield Visit(context.new_page())
    context.close()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of the pages go: the folder that CATALOG_SCREENSHOTS names; without it none are taken."""
    wanted = os.environ.get("CATALOG_SCREENSHOTS")
    return Path(wanted) if wanted else None
