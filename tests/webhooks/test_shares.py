"""The sender's slots: what one webhook, one host and one creator may hold, and what stays free for all others."""

from collections import Counter

import pytest

from catalog.webhooks.shares import MOST, SHARE, UNPROVEN_MOST, UNPROVEN_SHARE, Shares, Waiting, host


def waiting(name: str, creator: str = "key:greedy", server: str = "greedy.example.com") -> Waiting:
    return Waiting(name, f"https://{server}/{name}", creator, SHARE)


def prove(shares: Shares, *webhooks: Waiting) -> None:
    for one in webhooks:
        shares.take("proof", one)
        shares.release("proof", answered=True)


def fill(shares: Shares, webhooks: list[Waiting]) -> Counter[str]:
    """Lease all that is given, again and again, as if nothing ever ended; return how much each got."""
    got: Counter[str] = Counter()
    while rooms := shares.rooms([Waiting(*(one.webhook_id, one.url, one.creator, SHARE)) for one in webhooks]):
        for one in webhooks:
            for _ in range(rooms.get(one.webhook_id, 0)):
                shares.take(f"{one.webhook_id}-{got[one.webhook_id]}", one)
                got[one.webhook_id] += 1
    return got


OTHER = waiting("honest", "key:honest", "honest.example.com")


def test_a_webhook_has_its_share_once_it_has_answered():
    shares = Shares()
    assert fill(shares, [OTHER])["honest"] == UNPROVEN_SHARE
    for number in range(UNPROVEN_SHARE):
        shares.release(f"honest-{number}", answered=True)
    assert fill(shares, [OTHER])["honest"] == SHARE
    for number in range(SHARE):
        shares.release(f"honest-{number}", answered=False)
    assert fill(shares, [OTHER])["honest"] == UNPROVEN_SHARE


@pytest.mark.parametrize("creators", [1, 3, 20])
def test_silent_receivers_never_hold_what_is_kept_for_those_that_answered(creators):
    shares = Shares()
    prove(shares, OTHER)
    silent = [waiting(f"s{n}", f"key:{n % creators}", f"s{n}.example.com") for n in range(2_000)]
    held = fill(shares, silent).total()
    assert held == UNPROVEN_MOST // 2 if creators == 1 else UNPROVEN_MOST // 2 < held < UNPROVEN_MOST
    assert fill(shares, [OTHER])["honest"] == SHARE


@pytest.mark.parametrize("creators", [1, 3, 20])
def test_a_new_webhook_of_another_finds_a_slot_among_silent_ones(creators):
    shares = Shares()
    fill(shares, [waiting(f"s{n}", f"key:{n % creators}", f"s{n}.example.com") for n in range(2_000)])
    assert fill(shares, [OTHER])["honest"] == UNPROVEN_SHARE


@pytest.mark.parametrize("creators", [1, 3, 20])
def test_those_that_answered_and_fall_silent_leave_slots_for_others(creators):
    shares = Shares()
    greedy = [waiting(f"g{n}", f"key:{n % creators}", f"g{n}.example.com") for n in range(100)]
    prove(shares, OTHER, *greedy)
    assert fill(shares, greedy).total() < MOST - MOST // (creators + 5)
    assert fill(shares, [OTHER])["honest"] >= min(SHARE, MOST // (creators + 5) // 4)


def test_one_host_leaves_slots_for_others_whoever_created_its_webhooks():
    shares = Shares()
    greedy = [waiting(f"g{n}", f"key:{n}") for n in range(200)]
    prove(shares, OTHER, *greedy)
    assert fill(shares, greedy).total() <= MOST // 2 + 1
    assert fill(shares, [OTHER])["honest"] == SHARE


def test_a_creator_with_silent_receivers_still_reaches_its_own_honest_one():
    shares = Shares()
    greedy, own = [waiting(f"g{n}") for n in range(99)], waiting("own", server="own.example.com")
    prove(shares, own, *greedy)
    fill(shares, greedy)
    assert fill(shares, [own])["own"] >= 1


def test_what_ends_is_given_back_and_planning_holds_nothing():
    shares = Shares()
    many = [waiting(f"w{n}", server=f"w{n}.example.com") for n in range(300)]
    first = sum(shares.rooms(many).values())
    assert first == UNPROVEN_MOST // 2
    assert sum(shares.rooms(many).values()) == first
    for _ in range(3):
        got = fill(shares, many)
        for name, count in got.items():
            for number in range(count):
                shares.release(f"{name}-{number}")
        shares.release("never taken", answered=True)
    assert sum(shares.rooms(many).values()) == first


def test_a_webhook_gets_no_more_slots_than_it_has_deliveries():
    shares = Shares()
    prove(shares, OTHER)
    assert shares.rooms([Waiting(OTHER.webhook_id, OTHER.url, OTHER.creator, 3)]) == {"honest": 3}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.example.com/x?y", "a.example.com:443"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://[::1]:80/", "::1:80"),
        ("no url", "no url"),
    ],
)
def test_a_host_is_a_name_and_a_port(url, expected):
    assert host(url) == expected
