"""Orders, tasks and jobs in the browser, and the way to the API's own pages."""

import re

import redis
import requests
from playwright.sync_api import expect

from catalog.orders.redislist import Dead
from tests.processes import served

ORDER = {
    "id": 71,
    "customer": "ACME Corp",
    "items": [{"sku": "O-1", "quantity": 3, "unit_price": 10}],
    "submitted_at": "2026-01-01T00:00:00Z",
}


def test_an_order_that_failed_is_tried_again_once_its_product_is_there(emptied, visit, rows, whole_service, looks):
    page = visit.page
    page.goto("/console/orders")
    page.get_by_text("No order has come in yet").wait_for()
    looks.at("orders-empty", "#list")
    requests.post(f"{whole_service}/api/v1/orders", json=ORDER, timeout=10)
    page.goto("/console/orders?status=failed")
    page.get_by_role("link", name="71").or_(page.get_by_text("No order matches")).first.wait_for()
    for _ in range(40):
        if page.get_by_role("link", name="71").count():
            break
        page.get_by_role("button", name="Look again").click()
        page.wait_for_load_state("networkidle")
    looks.at("orders", "#list table")
    page.get_by_role("link", name="71").click()
    looks.at("order", "#order")
    requests.post(f"{whole_service}/api/v1/products", json={"sku": "O-1", "name": "Lamp"}, timeout=10)
    page.get_by_role("button", name="Try it again now").click()
    page.get_by_text("Order 71 is tried again.").wait_for()
    for _ in range(40):
        if rows("SELECT status FROM orders") == [("processed",)]:
            break
        page.reload()
    page.reload()
    page.get_by_role("cell", name="Lamp").wait_for()
    assert rows("SELECT status, total::float FROM orders") == [("processed", 30.0)]
    assert visit.complaints == []


def test_without_a_redis_list_the_dead_letters_say_so(emptied, visit, looks):
    visit.page.goto("/console/orders/dead")
    visit.page.get_by_text("Orders do not come by a Redis list here").wait_for()
    looks.at("orders-dead", "#dead")


def test_dead_letters_are_shown_and_queued_again_when_somebody_says_so(emptied, environment, browser):
    queue = redis.Redis.from_url(environment["REDIS_URL"])
    dead = Dead.now(b'{"id": "x"}', "id: Not a valid integer.")
    queue.rpush("orderflow:orders:dead", dead.dump(), dead.dump())
    with served({**environment, "ORDER_QUEUE_REDIS_URL": environment["REDIS_URL"]}) as address:
        page = browser.new_page(base_url=address)
        page.goto("/console/orders/dead")
        page.get_by_text("id: Not a valid integer.").first.wait_for()
        page.get_by_role("button", name="Queue all of them again").click()
        page.get_by_text("Put all 2 elements at the end of the list again?").wait_for()
        page.get_by_role("button", name="Yes").click()
        page.get_by_text("2 elements are queued again.").wait_for()
        page.get_by_text("No dead letters").wait_for()
        page.close()
    assert (queue.llen("orderflow:orders"), queue.llen("orderflow:orders:dead")) == (2, 0)
    queue.delete("orderflow:orders")


def test_tasks_are_made_moved_over_the_board_changed_and_deleted(emptied, visit, rows, looks):
    page = visit.page
    page.goto("/console/tasks")
    looks.at("tasks-empty", "#board")
    page.get_by_role("button", name="New task").click()
    looks.at("task-new", "dialog[open]")
    page.get_by_label("Title").fill("Order lamps")
    page.get_by_label("Due").fill("2026-12-24T18:00")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("region", name="To be done").get_by_text("Order lamps").wait_for()
    page.get_by_role("button", name="Move Order lamps to Being done").click()
    page.get_by_role("region", name="Being done").get_by_text("Order lamps").wait_for()
    looks.at("tasks", "#board")
    page.get_by_role("button", name="Order lamps", exact=True).click()
    expect(page.get_by_label("Due")).to_have_value("2026-12-24T18:00")
    page.get_by_label("Title").fill("Order twenty lamps")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("region", name="Being done").get_by_text("Order twenty lamps").wait_for()
    assert rows("SELECT title, status, version FROM tasks") == [("Order twenty lamps", "IN_PROGRESS", 3)]
    page.get_by_role("button", name="Order twenty lamps", exact=True).click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("The task is deleted.").wait_for()
    assert rows("SELECT count(*) FROM tasks") == [(0,)]
    assert visit.complaints == []


def test_a_job_is_watched_cancelled_and_run_again(emptied, visit, whole_service, looks):
    body = {"seconds": 30, "fail": False}
    job_id = requests.post(f"{whole_service}/api/v1/jobs/test", json=body, timeout=10).json()["task_id"]
    page = visit.page
    page.goto("/console/jobs?queue=default")
    page.get_by_role("region", name="Workers").get_by_role("cell", name="orders").wait_for()
    page.get_by_role("link", name="catalog.jobs.jobs.test").first.wait_for()
    looks.at("jobs", "#list table")
    page.goto(f"/console/jobs/{job_id}")
    page.get_by_text("running", exact=True).wait_for(timeout=20_000)
    looks.at("job", "#job progress")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("button", name="Run it again").wait_for(timeout=20_000)
    page.get_by_role("button", name="Run it again").click()
    page.get_by_text("The job is queued again.").wait_for()
    requests.delete(f"{whole_service}/api/v1/jobs/{job_id}", timeout=10)
    assert visit.complaints == []


def test_the_api_is_one_click_away(emptied, visit, looks):
    visit.page.goto("/console/api")
    looks.at("api", "main")
    for name, path in (("Swagger UI", "/api/docs"), ("ReDoc", "/api/redoc"), ("GraphiQL", "/graphql")):
        visit.page.goto("/console/api")
        visit.page.get_by_role("link", name=name).click()
        visit.page.wait_for_url(re.compile(re.escape(path)))


def test_an_address_that_there_is_not_is_a_page_in_words(emptied, visit, looks):
    visit.page.goto("/console/products/01890000-0000-7000-8000-000000000000")
    visit.page.get_by_text("There is no such product.").wait_for()
    visit.complaints.clear()  # the browser notes the 404
    looks.at("not-found", "main")
