"""What a scope reaches: no data of another scope, and no import of another caller."""

import io
import json
import uuid

import pytest
from sqlalchemy import text

from catalog.access import SCOPES
from catalog.extensions import db
from catalog.imports import service as imports
from catalog.webhooks import event_scopes
from catalog.webhooks import service as webhooks
from catalog.webhooks.events import EVENTS
from tests.auth.conftest import HTML, Browser, bearer
from tests.jobs.conftest import forget_all_jobs

SECRET = "Secret name"
HOOK = {"url": "https://hooks.example.com/", "retry_count": 0}


@pytest.fixture
def keys(new_key):
    """Return a function that gives the headers of a key with these scopes, always the same one."""
    made = {}

    def key(*scopes):
        if scopes not in made:
            made[scopes] = bearer(new_key(*scopes))
        return made[scopes]

    return key


@pytest.fixture
def imported(outside, production, keys):
    """Return the id of an import of one refused row, by the key of the scope `imports`."""
    return submitted(outside, production, keys("imports"), f"sku,name,price\nS-1,{SECRET},cheap\n")


def submitted(client, production, headers, content, **options):
    form = {"file": (io.BytesIO(content.encode()), "products.csv"), **options}
    task = client.post("/api/v1/products/upload", data=form, headers=headers).json["task_id"]
    with production.app_context():
        imports.run(uuid.UUID(task))
    return task


def statuses(client, paths, headers):
    """Return the status of each path. Reads the bodies, since a stream holds its slot until it is closed."""
    responses = {
        f"{method} {path}": client.open(path, method=method, headers=headers, buffered=True) for method, path in paths
    }
    return {request: response.status_code for request, response in responses.items()}


def of_import(task):
    reads = ("products/upload/{}/status", "products/import/{}/progress", "products/import/{}/result", "imports/{}")
    paths = [("GET", f"/api/v1/{path.format(task)}") for path in (*reads, "imports/{}/errors.csv", "imports/{}/events")]
    return [*paths, ("DELETE", f"/api/v1/imports/{task}"), ("POST", f"/api/v1/imports/{task}/commit")]


# Imports


def test_an_import_is_there_for_the_key_that_made_it_and_for_who_may_see_all(outside, keys, imported):
    for headers in (keys("imports"), keys("imports", "imports:all"), keys("admin")):
        found = statuses(outside, of_import(imported), headers)
        assert set(found.values()) == {200, 409}  # it has ended, and was no dry run
        assert outside.get("/api/v1/imports", headers=headers).json["total"] == 1


def test_for_another_key_an_import_is_not_there(outside, keys, imported):
    other = keys("imports", "jobs", "products:read", "products:write")
    assert set(statuses(outside, of_import(imported), other).values()) == {404}
    assert (
        outside.get("/api/v1/imports", headers=other).json
        == outside.get("/api/v1/imports", headers=keys("imports", "tasks")).json
    )
    assert outside.get("/api/v1/imports", headers=other).json["items"] == []
    assert outside.get(f"/api/v1/jobs/{imported}", headers=other).status_code == 404
    assert outside.delete(f"/api/v1/celery/task/{imported}", headers=other).status_code == 404
    query = {"query": f'{{ imports {{ total }} import(importId: "{imported}") {{ filename }} }}'}
    answer = outside.post("/graphql", json=query, headers=other)
    assert answer.json["data"]["imports"]["total"] == 0
    assert answer.json["errors"][0]["extensions"]["code"] == "not_found"
    query = {"query": f'mutation {{ cancelImport(importId: "{imported}") {{ import {{ id }} }} }}'}
    assert outside.post("/graphql", json=query, headers=other).json["errors"][0]["extensions"]["code"] == "not_found"


def test_imports_all_is_nothing_without_imports(outside, keys, imported):
    assert set(statuses(outside, of_import(imported), keys("imports:all")).values()) == {403}


def test_an_import_whose_caller_was_not_recorded_is_for_who_may_see_all(outside, keys, production, imported):
    with production.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE imports SET asked_by = NULL"))
    path = f"/api/v1/imports/{imported}"
    assert outside.get(path, headers=keys("imports")).status_code == 404
    assert outside.get(path, headers=keys("imports", "imports:all")).status_code == 200


def test_the_pages_of_an_import_are_for_its_own_user(production, new_key, outside, keys, imported):
    mine, others = Browser(production), Browser(production)
    for browser in (mine, others):
        browser.sign_in(key=new_key("imports"))
    for path in ("", "/rejected", "/errors.csv", "/events", "/differences"):
        assert others.status(f"/console/imports/{imported}{path}") in (403, 404)
    for path in ("/cancel", "/commit", "/again", "/map-again", "/judge"):
        body = {"rows": {"2": ["S-1", "x", "1"]}, "cells": ["S-1", "x", "1"]}
        assert others.post(
            f"/console/imports/{imported}{path}", json=body if path[1] in "amj" else None
        ).status_code in (
            400,
            404,
        )
    text_of = {browser: browser.client.get("/console/imports", headers=HTML).text for browser in (mine, others)}
    assert not any("products.csv" in page for page in text_of.values())


def test_drafts_and_files_on_their_way_in_are_for_their_own_user(production, new_key):
    mine, others, all_seeing = Browser(production), Browser(production), Browser(production)
    for browser, scopes in ((mine, ["imports"]), (others, ["imports"]), (all_seeing, ["imports", "imports:all"])):
        browser.sign_in(key=new_key(*scopes))
    file = {"filename": "mine.csv", "size": 30, "modified": 1}
    arrival = mine.post("/console/imports/arrivals", json=file).json
    place = arrival["address"]
    for path in (place + "?offset=0", arrival["whole"]):
        assert others.post(path, data=b"x").status_code == 404
    others.post(f"{place}/discard")
    content = b"sku,name\n" + b"S-1,Lamp\n" * 2 + b"\n\n\n"
    assert len(content) == 30
    assert mine.post(f"{place}?offset=0", data=content).json["received"] == 30
    draft = mine.post(arrival["whole"]).json
    assert others.status(draft["address"]) == 404
    assert others.post(draft["start"], json={}).status_code == 404
    others.post(f"{draft['address']}/discard")
    assert mine.status(draft["address"]) == all_seeing.status(draft["address"]) == 200
    shown = {
        name: "mine.csv" in each.client.get("/console/imports", headers=HTML).text
        for name, each in {"mine": mine, "others": others, "all": all_seeing}.items()
    }
    assert shown == {"mine": True, "others": False, "all": True}


def test_a_dry_run_that_another_caller_commits_stays_its_owners(outside, production, keys):
    outside.post("/api/v1/products", json={"sku": "S-1", "name": SECRET}, headers=keys("admin"))
    task = submitted(outside, production, keys("imports"), "sku,name\nS-1,Lamp\n", dry_run="true")
    assert outside.post(f"/api/v1/imports/{task}/commit", headers=keys("admin")).status_code == 202
    assert outside.get(f"/api/v1/imports/{task}", headers=keys("imports")).status_code == 200


def test_a_dry_run_shows_present_values_to_who_may_read_products_alone(outside, production, keys):
    outside.post("/api/v1/products", json={"sku": "S-1", "name": SECRET}, headers=keys("admin"))
    task = submitted(outside, production, keys("imports"), "sku,name\nS-1,Lamp\n", dry_run="true")
    path = f"/api/v1/imports/{task}"
    hidden = outside.get(path, headers=keys("imports"))
    assert (hidden.json["dry_run"]["updated"], hidden.json["dry_run"]["differences"]) == (1, None)
    assert SECRET not in hidden.text + outside.get("/api/v1/imports", headers=keys("imports")).text
    for scopes in (("imports", "imports:all", "products:read"), ("admin",)):
        assert SECRET in outside.get(path, headers=keys(*scopes)).text


# Jobs


def test_jobs_alone_shows_and_changes_no_import(outside, keys, imported):
    for path in (f"/api/v1/jobs/{imported}", f"/api/v1/celery/task/{imported}"):
        for method in ("GET", "DELETE"):
            answer = outside.open(path, method=method, headers=keys("jobs"))
            assert answer.status_code == 403
            assert "`imports`" in answer.json["detail"]
            assert SECRET not in answer.text
        assert outside.post(f"{path}/retry", headers=keys("jobs")).status_code == 403
    assert SECRET not in outside.get("/api/v1/jobs", headers=keys("jobs")).text
    assert outside.get(f"/api/v1/jobs/{imported}", headers=keys("admin")).json["result"]["error_details"]


def test_jobs_alone_shows_and_changes_no_queued_write_and_no_bulk_deletion(outside, keys):
    create = 'mutation { createProduct(sku: "QW-1", title: "Queued", price: 3) { jobId } }'
    answer = outside.post("/graphql", json={"query": create}, headers=keys("products:write"))
    write = answer.json["data"]["createProduct"]["jobId"]
    deletion = outside.delete("/api/v1/products/all", headers=keys("products:write")).json["task_id"]
    for job in (write, deletion):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
            answer = outside.open(f"/api/v1/jobs/{job}{path}", method=method, headers=keys("jobs"))
            assert answer.status_code == 403
            assert "`products:write`" in answer.json["detail"]
        assert outside.get(f"/api/v1/jobs/{job}", headers=keys("jobs", "products:write")).status_code == 200


def test_a_list_of_jobs_has_no_word_of_rows_that_the_caller_may_not_see(outside, production, keys):
    with production.app_context():
        forget_all_jobs()  # those of other tests would fill the page
    form = {"file": (io.BytesIO(b"sku,name\nS-1,Lamp\n"), "products.csv")}
    task = outside.post("/api/v1/products/upload", data=form, headers=keys("imports")).json["task_id"]
    masked = [
        each for each in outside.get("/api/v1/jobs", headers=keys("jobs")).json["items"] if each["kind"] == "import"
    ]
    assert [(each["record_id"], each["message"], each["error"]) for each in masked] == [(None, None, None)]
    shown = outside.get("/api/v1/jobs", headers=keys("admin")).json["items"]
    assert task in [each["record_id"] for each in shown]


# Webhooks


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_a_scope(event):
    assert event_scopes.scope_of(event) in SCOPES
    assert event_scopes.scopes_of([event]) == [event_scopes.scope_of(event)]
    assert event_scopes.scope_of(event) in event_scopes.scopes_of(["*"])


@pytest.mark.parametrize(
    ("events", "scope"),
    [
        (["*"], "imports:all"),
        (["product.created"], "products:read"),
        (["order.*"], "orders"),
        (["import.*"], "imports:all"),
    ],
)
def test_a_webhook_needs_the_scopes_of_its_events(outside, keys, events, scope):
    answer = outside.post("/api/v1/webhooks", json={**HOOK, "events": events}, headers=keys("webhooks"))
    assert answer.status_code == 403
    assert f"`{scope}`" in answer.json["detail"]
    given = json.dumps(events)
    query = f'mutation {{ createWebhook(url: "{HOOK["url"]}", events: {given}) {{ webhook {{ id }} }} }}'
    answer = outside.post("/graphql", json={"query": query}, headers=keys("webhooks"))
    assert answer.json["errors"][0]["extensions"]["code"] == "forbidden"
    assert outside.get("/api/v1/webhooks", headers=keys("webhooks")).json["total"] == 0
    enough = keys("webhooks", "products:read", "orders", "imports:all")
    assert outside.post("/api/v1/webhooks", json={**HOOK, "events": events}, headers=enough).status_code == 201


def test_a_webhook_is_not_led_elsewhere_without_the_scopes_of_its_events(outside, keys):
    made = outside.post("/api/v1/webhooks", json={**HOOK, "events": ["product.*"]}, headers=keys("admin")).json
    path, only = f"/api/v1/webhooks/{made['id']}", keys("webhooks")
    for change in ({"url": "https://evil.example/"}, {"events": ["order.*"]}, {"is_active": True}, {"headers": {}}):
        assert outside.put(path, json=change, headers=only).status_code == 403
    assert outside.put(path, json={"description": "Ours"}, headers=only).status_code == 200
    assert outside.put(path, json={"events": ["webhook.disabled"]}, headers=only).status_code == 200


def test_the_log_shows_payloads_and_responses_to_who_may_read_the_event_alone(outside, production, keys, new_key):
    made = outside.post("/api/v1/webhooks", json={**HOOK, "events": ["product.*"]}, headers=keys("admin")).json
    with production.app_context(), db.engine.begin() as connection:
        webhooks.publish("product.created", {"id": str(uuid.uuid4()), "name": SECRET})
        connection.execute(
            text(
                "INSERT INTO webhook_attempts (webhook_id, delivery_id, event_id, event, attempt, status_code,"
                " response_body, response_time_ms) SELECT webhook_id, webhook_deliveries.id, event_id,"
                f" 'product.created', 1, 200, 'You sent {SECRET}', 1 FROM webhook_deliveries"
            )
        )
    path = f"/api/v1/webhooks/{made['id']}/logs"
    hidden, shown = (
        outside.get(path, headers=keys(*scopes)) for scopes in (("webhooks",), ("webhooks", "products:read"))
    )
    assert [(each["payload"], each["response_body"]) for each in hidden.json["items"]] == [(None, None)]
    assert shown.text.count(SECRET) == 2
    delivery = shown.json["items"][0]["delivery_id"]
    for scopes, count in ((["webhooks"], 0), (["webhooks", "products:read"], 2)):
        browser = Browser(production)
        browser.sign_in(key=new_key(*scopes))
        page = browser.client.get(f"/console/webhooks/deliveries/{delivery}/attempts", headers=HTML)
        assert (page.status_code, page.text.count(SECRET)) == (200, count)
