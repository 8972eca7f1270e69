"""What the overview tells, of everything that it is to tell."""

import io
import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from catalog.cache import invalidate
from catalog.console import overview
from catalog.database import transaction
from catalog.extensions import db
from tests.factories import make_product

HTML = {"Accept": "text/html"}
LOST = text("""
    INSERT INTO cache_invalidations (names, fence, state, created_at)
    VALUES ('{product:*}', 'F1', :state, clock_timestamp() - interval '90 seconds')
""")


@pytest.fixture
def page(client):
    """Return what the overview says just now, its spaces made one."""
    return lambda: " ".join(client.get("/console/overview", headers=HTML).text.split())


def test_products_are_counted_in_all_active_and_changed_today(client, context, page):
    with transaction():
        invalidate("overview:products", "activity-now:*")  # which another test may have had counted a moment ago
    for number in range(3):
        client.post("/api/v1/products", json={"name": f"Lamp {number}", "active": number > 0})
    figures = overview.figures()["products"]
    assert (figures["total"], figures["active"], figures["changes"]) == (3, 2, 3)
    assert "2 active · 3 changes today (UTC)" in page()


def test_imports_under_way_and_the_last_one_are_named(client, page):
    assert "Nothing has been imported yet." in page()
    file = (io.BytesIO(b"sku,name\nA,Lamp\n"), "lamps.csv")
    client.post("/api/v1/products/upload", data={"file": file})
    shown = page()
    assert '<p class="big">1 <small>under way</small></p>' in shown
    assert "Last: lamps.csv" in shown


def test_failing_webhooks_and_waiting_deliveries_are_counted(client, context, page):
    made = client.post("/api/v1/webhooks", json={"url": "https://8.8.8.8/a", "events": ["product.*"]}).json
    make_product()
    assert "1 waiting · 1 webhooks" in page()
    assert "none failing" in page()
    failing = text("UPDATE webhooks SET failing_since = now() WHERE id = CAST(:id AS uuid)")
    db.session.execute(failing, {"id": made["id"]})
    db.session.commit()
    assert "1 failing or switched off" in page()


def test_every_dependency_has_its_state_and_its_latency(client):
    health = client.get("/health/ready").json
    shown = client.get("/console/overview", headers=HTML).text
    assert {"database", "queue", "cache"} <= set(health["dependencies"])
    for name in ("database", "queue", "cache", "clock", "worker"):
        assert f'<th scope="row">{name}</th>' in shown


def test_the_charts_are_those_of_a_day_with_every_series(context):
    charts = {chart["name"]: [series["name"] for series in chart["series"]] for chart in overview.charts()}
    assert charts == {
        "writes": ["created", "updated", "deleted", "imported"],
        "rows": ["created", "updated", "unchanged", "rejected"],
        "deliveries": ["delivered", "failed"],
        "latency": ["p50", "p95"],
    }
    assert all(len(chart["hours"]) == 24 for chart in overview.charts())
    last = datetime.fromisoformat(overview.charts()[0]["hours"][-1])
    assert 0 <= (datetime.now(UTC) - last).total_seconds() <= 3_660


def test_a_cache_that_every_write_has_reached_is_not_old(committed):
    assert "0 s old" in committed.test_client().get("/console/overview", headers=HTML).text


def test_a_cache_that_a_write_has_not_reached_says_for_how_long(committed):
    with committed.app_context(), db.engine.begin() as connection:
        connection.execute(LOST, {"state": "outage"})
    shown = " ".join(committed.test_client().get("/console/overview", headers=HTML).text.split())
    behind = re.search(r"(\d+) s behind", shown)
    assert behind
    assert int(behind[1]) >= 90  # by how much it is more is the machine's to say
    assert "1 writes wait to reach it; until then nobody reads it" in shown


def test_a_fence_that_stands_is_no_delay(committed):
    with committed.app_context(), db.engine.begin() as connection:
        connection.execute(LOST, {"state": "fenced"})
    assert "0 s old" in committed.test_client().get("/console/overview", headers=HTML).text


@pytest.mark.parametrize("path", ["/console", "/console/"])
def test_the_address_of_the_console_leads_to_the_overview(client, path):
    response = client.get(path, headers=HTML)
    assert (response.status_code, response.location) == (302, "/console/overview")
