"""Webhooks in the browser: made, tested, failing, looked into, sent again."""

import base64
import hashlib
import hmac
import re

import pytest
import requests
from playwright.sync_api import expect

from tests.processes import wait_for
from tests.webhooks.receivers import Receiver, answer


@pytest.fixture
def receiver():
    """Who is told."""
    with Receiver() as receiver:
        yield receiver


def make_webhook(address, url, **fields):
    body = {"url": url, "events": ["product.*"], "retry_count": 0, "durable": False, **fields}
    return requests.post(f"{address}/api/v1/webhooks", json=body, timeout=10).json()


def make_product(address):
    requests.post(f"{address}/api/v1/products", json={"name": "Lamp"}, timeout=10)


def test_before_there_is_one_the_page_says_what_a_webhook_is(emptied, visit, looks):
    visit.page.goto("/console/webhooks")
    visit.page.get_by_text("Nobody is told of anything yet").wait_for()
    looks.at("webhooks-empty", "main")


def test_a_webhook_is_made_with_a_secret_shown_once_and_a_test_that_is_signed_with_it(visit, rows, receiver, looks):
    page = visit.page
    page.goto("/console/webhooks")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog", name="Webhook")
    looks.at("webhook-new", "dialog[open]")
    dialog.get_by_label("Address that is called").fill(receiver.url)
    dialog.get_by_role("button", name="Create").click()
    dialog.get_by_text("Shorter than minimum length 1.").or_(dialog.get_by_text("Length must be")).wait_for()
    visit.complaints.clear()  # the browser notes the refusal
    dialog.get_by_label("product.*", exact=True).check()
    dialog.get_by_role("button", name="Create").click()
    secret = dialog.locator("#secret").inner_text()
    dialog.get_by_role("button", name="Send").click()
    dialog.get_by_text("status 200").wait_for()
    sent = receiver.wait(1)[0]
    signed = f"{sent.id}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
    wanted = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert base64.b64encode(wanted).decode() in sent.headers["webhook-signature"]
    dialog.get_by_role("link", name="To the webhook").click()
    page.wait_for_url(re.compile("/console/webhooks/[0-9a-f-]{36}"))
    assert secret not in page.content()
    assert rows("SELECT events FROM webhooks") == [(["product.*"],)]
    assert visit.complaints == []


def test_the_snippet_of_the_page_knows_what_is_ours(visit, emptied, whole_service, receiver):
    secret = "whsec_" + base64.b64encode(b"0" * 32).decode()
    webhook = make_webhook(whole_service, receiver.url, secret=secret)
    make_product(whole_service)
    sent = receiver.wait(1)[0]
    visit.page.goto(f"/console/webhooks/{webhook['id']}")
    known: dict = {}
    exec(visit.page.locator("#snippet").inner_text(), known)
    assert known["is_ours"](secret, sent.headers, sent.body)
    assert not known["is_ours"](secret, sent.headers, sent.body + b" ")
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.get_by_role("button", name="Copy").click()
    visit.page.get_by_text("Copied.").wait_for()
    assert "def is_ours" in visit.page.evaluate("navigator.clipboard.readText()")


def test_a_webhook_that_fails_shows_why_and_is_replayed_when_it_is_mended(
    visit, rows, emptied, whole_service, receiver, looks
):
    receiver.behave = answer(500, b"no room")
    webhook = make_webhook(whole_service, receiver.url)
    for _ in range(3):
        make_product(whole_service)
    wait_for(lambda: rows("SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'") == [(3,)])
    page = visit.page
    page.goto("/console/webhooks")
    page.get_by_text("failing", exact=True).wait_for()
    wait_for(lambda: page.reload() and page.locator(".spark").count())  # the present hour is counted every 4 s
    looks.at("webhooks", ".spark")
    page.goto(f"/console/webhooks/{webhook['id']}")
    page.get_by_role("button", name="Attempts").first.click()
    page.get_by_role("region", name="Attempt 1").get_by_text("no room").wait_for()
    page.get_by_role("region", name="Attempt 1").get_by_text("status 500").first.wait_for()
    page.get_by_role("region", name="Attempt 1").get_by_text('"name": "Lamp"').wait_for()
    page.get_by_role("img", name="Its life: queued, attempt 1 500").wait_for()
    looks.at("webhook", ".attempt")
    receiver.behave = answer(200, b"ok")
    page.get_by_role("button", name="Again", exact=True).first.click()
    page.get_by_text("It is sent again now.").wait_for()
    wait_for(lambda: rows("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == [(1,)])
    page.get_by_label("State", exact=True).select_option("failed")
    expect(page.locator("#deliveries tbody th")).to_have_count(2)
    page.get_by_role("button", name="Send these again").click()
    page.get_by_text("Send 2 events of any kind that failed to").wait_for()
    looks.at("webhook-replay", "#replayed")
    page.get_by_role("button", name="Send again", exact=True).click()
    page.get_by_text("2 deliveries are queued again.").wait_for(timeout=20_000)
    expect(page.get_by_role("button", name="Send again", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Close").click()
    wait_for(lambda: rows("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == [(3,)])
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("No delivery here").wait_for()
    page.get_by_label("State", exact=True).select_option("delivered")
    expect(page.locator("#deliveries tbody th")).to_have_count(3)
    assert visit.complaints == []


def test_the_deliveries_of_all_webhooks_are_filtered_by_webhook_state_event_and_time(
    visit, rows, emptied, whole_service, receiver, looks
):
    with Receiver() as other:
        other.behave = answer(500, b"no room")
        make_webhook(whole_service, receiver.url)
        make_webhook(whole_service, other.url)
        for _ in range(2):
            make_product(whole_service)
        wait_for(lambda: rows("SELECT count(*) FROM webhook_deliveries WHERE status <> 'pending'") == [(4,)])
    page, shown = visit.page, visit.page.locator("#deliveries tbody th")
    page.goto("/console/webhooks")
    page.get_by_role("link", name="All deliveries").click()
    expect(shown).to_have_count(4)
    looks.at("deliveries", "#deliveries table")
    page.get_by_label("Webhook", exact=True).select_option(label=other.url)
    expect(shown).to_have_count(2)
    page.get_by_label("State", exact=True).select_option("failed")
    page.get_by_label("Event", exact=True).select_option("product.created")
    expect(shown).to_have_count(2)
    page.wait_for_url(re.compile("event=product.created"))
    page.get_by_label("Until").fill("2020-01-01T00:00")
    page.get_by_text("No delivery here").wait_for()
    page.get_by_label("Until").fill("")
    page.get_by_label("Since").fill("2020-01-01T00:00")
    page.wait_for_url(re.compile("since=2020"))
    page.reload()
    expect(shown).to_have_count(2)
    assert page.get_by_label("Since").input_value() == "2020-01-01T00:00"
    page.get_by_role("button", name="Send these again").click()
    page.get_by_text("Send 2 product.created that failed to").wait_for()
    assert visit.complaints == []


def test_the_secret_is_changed_and_the_webhook_switched_off_and_deleted(visit, rows, emptied, whole_service, receiver):
    webhook = make_webhook(whole_service, receiver.url, secret="old")
    page = visit.page
    page.goto(f"/console/webhooks/{webhook['id']}")
    page.get_by_role("button", name="Change the secret").click()
    page.get_by_role("button", name="Yes").click()
    page.locator("#secret", has_text="whsec_").wait_for()
    page.get_by_role("link", name="Done").click()
    page.get_by_text("the old one too until").wait_for()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("button", name="Switch on").wait_for()
    assert rows("SELECT is_active FROM webhooks") == [(False,)]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("Nobody is told of anything yet").wait_for()
    assert rows("SELECT count(*) FROM webhooks") == [(0,)]
    assert visit.complaints == []
