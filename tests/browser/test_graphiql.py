"""GraphiQL in a real browser: it works, and asks nothing of any other host. Needs Chromium."""

import json
import re
import shutil
import subprocess

from tests.processes import served

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync")


def browse(url, folder):
    """Return the page as it is once its scripts have run, and the hosts that the browser asked."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)))
    log = folder / "net.json"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", f"--log-net-log={log}"]
    command = [browser, *options, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", url]
    page = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return page, asked_hosts(json.loads(log.read_text()))


def asked_hosts(log):
    """Return the hosts of the requests that pages made, without those that the browser makes for itself."""
    urls = {
        event["params"]["url"]
        for event in log["events"]
        if event.get("params", {}).get("initiator", "not an origin") != "not an origin" and "url" in event["params"]
    }
    return {re.sub(r"^\w+://([^/]+).*", r"\1", url) for url in urls if url.startswith(("http", "ws"))}


def test_graphiql_shows_the_examples_and_asks_no_other_host(environment, tmp_path):
    with served(environment) as url:
        page, hosts = browse(f"{url}/graphql", tmp_path)
    assert "graphiql-container" in page
    for name in ("Products", "CreateProductSync", "WebhookLogs"):
        assert name in page
    assert "Loading…" not in page
    assert hosts == {url.removeprefix("http://")}
