"""Signatures, judged by the official Standard Webhooks library and by plain HMAC."""

import base64
import hashlib
import hmac
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from catalog.webhooks import signing


def now() -> int:
    """Return the present second, which the official library holds against a signature's."""
    return int(time.time())


SECRETS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40).filter(
        lambda secret: not secret.startswith(signing.PREFIX)
    ),
    st.binary(min_size=16, max_size=40).map(lambda key: signing.PREFIX + base64.b64encode(key).decode()),
)


def simple(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def official(secret: str) -> Webhook:
    return Webhook(base64.b64encode(signing.standard_key(secret)).decode())


def test_the_official_library_verifies_10_000_random_bodies():
    chance = random.Random(4)
    for _ in range(10_000):
        secret = signing.PREFIX + base64.b64encode(chance.randbytes(32)).decode()
        body = json.dumps({"data": chance.randbytes(chance.randrange(200)).decode("latin-1")}).encode()
        headers = signing.headers([secret], "msg", now(), body)
        assert official(secret).verify(body, headers) == json.loads(body)
        assert headers["X-Webhook-Signature"] == simple(secret, body)


@given(secret=SECRETS, data=st.text())
def test_any_secret_and_any_text_verify(secret, data):
    body = json.dumps({"data": data}).encode()
    headers = signing.headers([secret], "msg", now(), body)
    assert official(secret).verify(body, headers) == {"data": data}
    assert headers["X-Webhook-Signature"] == simple(secret, body)


@given(data=st.text(), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_fails(data, place, bit):
    body = json.dumps({"data": data}).encode()
    headers = signing.headers(["hush"], "msg", now(), body)
    received = {name.lower(): value for name, value in headers.items()}
    broken = bytearray(body)
    broken[place % len(body)] ^= 1 << bit
    assert signing.problem("hush", received, body, now()) is None
    assert signing.problem("hush", received, bytes(broken), now()) == "No signature matches."
    with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
        official("hush").verify(bytes(broken), headers)


@pytest.mark.parametrize("secret", ["new", "old"])
def test_while_a_secret_rotates_either_verifies(secret):
    headers = signing.headers(["new", "old"], "msg", now(), b"{}")
    assert official(secret).verify(b"{}", headers) == {}
    received = {name.lower(): value for name, value in headers.items()}
    assert signing.problem(secret, received, b"{}", now()) is None
    assert signing.problem("another", received, b"{}", now()) == "No signature matches."


def test_an_old_delivery_is_refused_by_the_receiver():
    received = {name.lower(): value for name, value in signing.headers(["s"], "msg", now() - 301, b"{}").items()}
    assert signing.problem("s", received, b"{}", now()) == "The timestamp is more than five minutes off."


def test_without_a_secret_there_are_an_id_and_a_time_but_no_signature():
    assert signing.headers([], "msg", 7, b"{}") == {"webhook-id": "msg", "webhook-timestamp": "7"}


def test_a_made_up_secret_is_one_that_the_official_library_takes():
    secret = signing.new_secret()
    assert len(signing.standard_key(secret)) == 32
    assert Webhook(secret).verify(b"{}", signing.headers([secret], "msg", now(), b"{}")) == {}
