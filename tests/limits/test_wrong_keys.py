"""Who tries wrong keys again and again is told to wait; who has a right one is let in all the same."""

import pytest

from tests.limits.test_rates import URL, from_


@pytest.fixture
def client(make_app):
    return make_app(RATE_LIMIT_WRONG_KEYS="3/minute").test_client()


def ask(client, key, address="192.0.2.1", path=URL):
    return client.get(path, headers={"Authorization": f"Bearer {key}"}, **from_(address))


def test_after_so_many_wrong_keys_from_an_address_the_answer_is_429_and_says_when_to_come_again(client):
    answers = [ask(client, f"cat_live_{number}") for number in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    assert answers[-1].json["code"] == "too_many_requests"
    assert "More than 3 wrong keys in 60 s" in answers[-1].json["detail"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_a_right_key_from_the_same_address_goes_on_working(client):
    right = client.post("/api/v1/keys", json={"name": "Right", "scopes": ["products:read"]}).json["key"]
    for _ in range(5):
        ask(client, "wrong")
    assert ask(client, "wrong").status_code == 429
    assert [ask(client, right).status_code for _ in range(10)] == [200] * 10


def test_a_wrong_key_counts_once_also_where_it_is_looked_at_before_flask(client):
    product = client.post(URL, json={"name": "Lamp"}).headers["Location"]
    assert client.get(product).status_code == client.get(product).status_code == 200
    assert [ask(client, "wrong", path=product).status_code for _ in range(4)] == [401] * 3 + [429]


def test_other_addresses_are_counted_apart(client):
    assert [ask(client, "wrong").status_code for _ in range(4)] == [401] * 3 + [429]
    assert ask(client, "wrong", "192.0.2.2").status_code == 401


def test_a_key_that_was_revoked_is_a_wrong_one(client):
    made = client.post("/api/v1/keys", json={"name": "Gone", "scopes": ["products:read"]}).json
    assert client.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert [ask(client, made["key"]).status_code for _ in range(4)] == [401] * 3 + [429]


def test_without_redis_a_process_counts_for_itself(client, server):
    server.kill()
    assert [ask(client, "wrong").status_code for _ in range(4)] == [401] * 3 + [429]


def test_without_a_limit_every_wrong_key_is_401(make_app):
    client = make_app().test_client()
    assert {ask(client, "wrong").status_code for _ in range(80)} == {401}
