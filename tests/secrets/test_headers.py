"""Headers of webhooks whose values are secrets: encrypted, masked, sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from catalog.redaction import MASK
from catalog.webhooks import secret_headers

URL = "/api/v1/webhooks"
HEADERS = {"X-Team": "warehouse", "Authorization": "Bearer tip-top-secret", "X-Api-Key": "key-4711"}
SHOWN = {"X-Team": "warehouse", "Authorization": MASK, "X-Api-Key": MASK}


@pytest.fixture
def hook(client, receiver):
    created = client.post(URL, json={"url": receiver.url, "events": ["*"], "headers": HEADERS})
    assert created.status_code == 201, created.json
    return created.json


def sent(client, hook, receiver) -> dict[str, str]:
    """Return the headers that a test of the webhook arrives with."""
    before = len(receiver.requests)
    client.post(f"{URL}/{hook['id']}/test")
    return receiver.wait(before + 1)[-1].headers


def refusal(answer) -> tuple[int, list[str]]:
    return answer.status_code, sorted(error["field"] for error in answer.json["errors"])


def test_the_values_are_masked_wherever_the_webhook_is_shown(client, hook):
    query = "{ webhooks { items { headers } } }"
    assert hook["headers"] == SHOWN
    assert client.get(f"{URL}/{hook['id']}").json["headers"] == SHOWN
    assert client.get(URL).json["items"][0]["headers"] == SHOWN
    assert client.post("/graphql", json={"query": query}).json["data"]["webhooks"]["items"][0]["headers"] == SHOWN
    assert client.post(f"{URL}/{hook['id']}/rotate-secret").json["webhook"]["headers"] == SHOWN


def test_the_values_are_sent(client, hook, receiver):
    received = sent(client, hook, receiver)
    assert {name: received[name.lower()] for name in HEADERS} == HEADERS


def test_the_values_are_not_in_the_database(client, hook, savepoint):
    row = savepoint.execute(text("SELECT webhooks::text FROM webhooks")).scalar_one()
    assert "warehouse" in row
    assert "tip-top-secret" not in row
    assert "4711" not in row


def test_what_was_read_can_be_written_back(client, hook, receiver):
    changes = {"headers": {**SHOWN, "authorization": SHOWN["Authorization"], "X-New": "1"}}
    del changes["headers"]["Authorization"]
    changed = client.put(f"{URL}/{hook['id']}", json=changes)
    assert changed.json["headers"] == {"X-Team": "warehouse", "authorization": MASK, "X-Api-Key": MASK, "X-New": "1"}
    assert sent(client, hook, receiver)["authorization"] == HEADERS["Authorization"]


def test_a_header_that_is_left_out_is_gone_and_a_new_value_replaces_the_old_one(client, hook, receiver):
    client.put(f"{URL}/{hook['id']}", json={"headers": {"Authorization": "Bearer another"}})
    received = sent(client, hook, receiver)
    assert received["authorization"] == "Bearer another"
    assert "x-api-key" not in received


def test_the_mask_is_refused_where_no_value_is_kept(client, hook, receiver):
    made = {"url": receiver.url, "events": ["*"], "headers": {"Authorization": MASK}}
    assert refusal(client.post(URL, json=made)) == (400, ["headers.Authorization"])
    assert refusal(client.put(f"{URL}/{hook['id']}", json={"headers": {"Cookie": MASK}})) == (400, ["headers.Cookie"])


@pytest.mark.parametrize("changes", [{}, {"headers": SHOWN}], ids=["headers not given", "headers masked"])
def test_kept_values_do_not_follow_the_url_to_another_server(client, hook, changes):
    answer = client.put(f"{URL}/{hook['id']}", json={"url": "http://127.0.0.1:9/hook", **changes})
    assert refusal(answer) == (400, ["headers.Authorization", "headers.X-Api-Key"])
    assert client.get(f"{URL}/{hook['id']}").json["url"] == hook["url"]


def test_given_again_they_do_and_a_new_path_on_the_same_server_needs_nothing(client, hook):
    elsewhere = client.put(f"{URL}/{hook['id']}", json={"url": "http://127.0.0.1:9/hook", "headers": HEADERS})
    assert (elsewhere.status_code, elsewhere.json["headers"]) == (200, SHOWN)
    assert client.put(f"{URL}/{hook['id']}", json={"url": "http://127.0.0.1:9/other"}).status_code == 200


def test_what_a_receiver_echoes_is_masked_in_the_answer_the_log_and_the_error(client, echo, savepoint):
    secret = "whsec_" + "c2VjcmV0" * 4
    made = {"url": echo.url, "events": ["*"], "headers": HEADERS, "secret": secret}
    hook = client.post(URL, json=made).json
    tested = client.post(f"{URL}/{hook['id']}/test").json
    log = client.get(f"{URL}/{hook['id']}/logs").json
    assert json.loads(tested["response_body"])["x-team"] == "warehouse"
    assert MASK in tested["response_body"]
    assert MASK in log["items"][0]["response_body"]
    kept = savepoint.execute(text("SELECT string_agg(webhook_attempts::text, '') FROM webhook_attempts")).scalar_one()
    for shown in (tested, log, kept):
        assert "tip-top-secret" not in str(shown)
        assert "4711" not in str(shown)
        assert secret not in str(shown)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            (name, "x")
            for name in ("authorization", "Cookie", "X-API-Key", "X-Auth-Token", "PRIVATE-TOKEN", "X-Hub-Pass")
        ],
        *[
            ("X-Team", value)
            for value in ("Bearer abcdefgh", "Basic dTpwYXNz", "http://u:p@h", "cat_live_9f_x", "token=1")
        ],
    ],
)
def test_names_and_values_tell_a_secret(name, value):
    assert secret_headers.is_secret(name, value)


@pytest.mark.parametrize(("name", "value"), [("X-Team", "warehouse"), ("X-Env", "8 stars: *"), ("Accept", "text/html")])
def test_other_headers_are_no_secrets(name, value):
    assert not secret_headers.is_secret(name, value)


names = st.sampled_from(["X-A", "Authorization", "X-Token", "Cookie", "X-B"])


@given(st.dictionaries(names, st.text("ab*", min_size=1).filter(lambda value: value != MASK)))
def test_headers_come_back_as_they_were_and_no_secret_is_shown(app, headers):
    with app.app_context():
        clear, secret = secret_headers.sealed(headers, {})
        assert {**clear, **secret_headers.opened(secret)} == headers
        assert set(secret) == {name for name in headers if not name.startswith("X-") or name == "X-Token"}
        assert secret_headers.sealed(secret_headers.shown(clear, secret), secret) == (clear, secret)
