"""The console in Chromium, over the whole service: web server, workers, sender and clock."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page

from catalog.extensions import db
from tests.browser.conftest import Visit
from tests.conftest import empty_tables
from tests.forked import running
from tests.processes import wait_for

AXE = Path(__file__).parent.parent / "vendor" / "axe-core-4.10.3" / "axe.js"
WIDTHS = {"wide": 1280, "phone": 390}
# Of a page that is very long, or lies behind a dialog, the picture shows what a screen does.
WHOLE = "document.documentElement.scrollHeight < 2500 && !document.querySelector('dialog[open]')"
THEMES = ("light", "dark")
RULES_OF_COLOUR = ["color-contrast", "link-in-text-block"]  # all that the second theme can change
# While a part of the page is loaded anew its colours are pale (console.css).
SETTLED = (
    "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling, .htmx-added, [aria-busy=true]')"
    " && document.getAnimations().every((one) => !(one instanceof CSSTransition) || one.playState !== 'running')"
)
VIOLATIONS = "(options) => axe.run(options).then((all) => all.violations.map((one) => [one.id, one.nodes[0].html]))"
_PROCESSES = [*(["worker", queue] for queue in ("imports", "default", "orders")), ["send-webhooks"], ["clock"]]


@pytest.fixture(scope="session")
def whole_service(address, environment) -> Iterator[str]:
    """The address of the service, with everything that works behind it."""
    with ExitStack() as stack:
        for process in _PROCESSES:
            stack.enter_context(running(environment, "catalog.cli", *process))
        yield address


@pytest.fixture
def emptied(app: Flask, whole_service) -> Flask:
    """The application, whose tables are empty when a test begins; no file waits either."""
    empty_tables(app)
    shutil.rmtree(app.config["UPLOAD_DIR"] / "drafts", ignore_errors=True)
    return app


@pytest.fixture
def rows(emptied: Flask) -> Callable[..., list[Any]]:
    """Ask the database: `rows("SELECT …", name=value)`."""

    def ask(sql: str, **values: Any) -> list[Any]:
        with emptied.app_context(), db.engine.connect() as connection:
            return list(connection.execute(db.text(sql), values))

    return ask


@dataclass
class Looks:
    """Looks at a page in both themes and at two widths: no complaint, no other host, nothing that axe objects to.

    Pictures go to `folder`, if there is one.
    """

    visit: Visit
    address: str
    folder: Path | None

    def at(self, name: str, settled: str) -> None:
        """Look at the page that is open, under a name for its pictures, once `settled` is there."""
        page = self.visit.page
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            page.wait_for_selector(settled)
            self._axe(page, name, theme)
            for label, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 800})
                wait_for(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), seconds=5)
                if self.folder:
                    self._picture(page, self.folder / f"console-{name}-{label}-{theme}.png")
            page.set_viewport_size({"width": WIDTHS["wide"], "height": 800})
        page.emulate_media(color_scheme="light")
        assert self.visit.complaints == []
        assert self.visit.asked() == {urlsplit(self.address).netloc}

    @staticmethod
    def _picture(page: Page, path: Path) -> None:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=path, full_page=page.evaluate(WHOLE))

    @staticmethod
    def _axe(page: Page, name: str, theme: str) -> None:
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text() + "; undefined")
        page.wait_for_function(SETTLED)
        options = {} if theme == THEMES[0] else {"runOnly": {"type": "rule", "values": RULES_OF_COLOUR}}
        found = page.evaluate(VIOLATIONS, options)
        assert found == [], f"{name}, {theme}"


@pytest.fixture
def looks(visit, whole_service, screenshots) -> Looks:
    """Looks at whatever page `visit` has open."""
    return Looks(visit, whole_service, screenshots)
