"""Stream slots: how many one process has, and the share of one caller."""

import pytest

from catalog import streams

EXPORT = "/api/v1/products/export"
OTHER = {"REMOTE_ADDR": "127.0.0.7"}


def test_one_holder_takes_its_share_and_others_the_rest():
    slots = streams.Slots(4)
    mine = [slots.take("me") for _ in range(3)]
    assert [bool(release) for release in mine] == [True, True, False]
    others = [slots.take(name) for name in ("other", "third", "fourth")]
    assert [bool(release) for release in others] == [True, True, False]
    assert not slots.take()
    mine[0]()
    mine[0]()  # twice is once
    assert slots.take("me")
    assert not slots.take("fourth")


def test_a_slot_that_was_given_back_is_remembered_for_nobody():
    slots = streams.Slots(4, 4)
    for number in range(100):
        slots.take(str(number))()
    assert not slots._held


@pytest.mark.parametrize(
    ("number", "share", "expected"), [(1, None, 1), (4, None, 2), (4, 1, 1), (4, 9, 4), (0, None, 0)]
)
def test_the_share_is_half_or_as_it_is_set(number, share, expected):
    slots = streams.Slots(number, share)
    assert sum(bool(slots.take("me")) for _ in range(10)) == expected


def test_exports_of_one_address_leave_slots_to_others(committed):
    client = committed.test_client()
    share = streams.Slots(client.application.config["WEB_THREADS"] // 2).share
    running = [client.get(EXPORT) for _ in range(share)]
    refused = client.get(EXPORT)
    other = client.get(EXPORT, environ_base=OTHER)
    for answer in (*running, other):
        assert answer.status_code == 200
        answer.close()
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "5"
    assert "STREAMS_PER_KEY" in refused.json["detail"]
    with client.get(EXPORT) as again:
        assert again.status_code == 200


def test_event_streams_beyond_the_share_are_polls_and_leave_slots_to_others(client):
    with client.application.test_request_context():
        taken = [streams.try_to_take_slot() for _ in range(10)]
    with client.application.test_request_context(environ_base=OTHER):
        release = streams.try_to_take_slot()
    for each in filter(None, [*taken, release]):
        each()
    assert sum(map(bool, taken)) == streams.Slots(client.application.config["WEB_THREADS"] // 2).share
    assert release
