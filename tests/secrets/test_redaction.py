"""The last line: what looks like a secret is masked in what is logged, and all else is left as it is."""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import logs
from catalog.config import ROOT
from catalog.redaction import MASK, redacted, without

SECRETS = {
    "a URL's password": "cannot connect to postgresql+psycopg2://catalog:hush@db:5432/catalog",
    "a URL's password with its own signs": "redis://:hu/sh@hush@cache:6379/0",
    "an API key": "no key cat_live_9f3ahush_hushhush4711",
    "a webhook's secret": "signed with whsec_aHVzaA+/hush==",
    "a bearer token": "sent authorization bearer hushhush",
    "basic credentials": "BASIC aHVzaHVzaA== refused",
    "a header's line": "Invalid HTTP Header: 'Authorization: Digest hush, hush'",
    "a cookie": "Cookie: session=hush; other=hush",
    "libpq's form": "host=db password=hush user=catalog",
    "a query": "GET /api/v1/products?api_key=hush&limit=1",
    "JSON": '{"secret": "hush", "url": "https://example.com"}',
    "JSON in JSON": json.dumps({"message": '{"password": "hush"}'}),
    "a Python dict": "{'token': 'hush'}",
    "a setting": "SECRET_KEY=hush ENCRYPTION_KEYS=hush",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_secret_is_masked(text):
    assert "hush" not in redacted(text)
    assert "aHVza" not in redacted(text)
    assert MASK in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "POST /api/v1/webhooks 201",
        "Import 0192 cannot be done: Line 3: the record is too long.",
        "Redis at http://127.0.0.1:6379/0 and mail to a@b.example",
        "The lease token 7 of bearer bonds, a basic rule, the secret of success",
        "2026-11-21T10:00:00Z 10.0.0.1:5432",
        '{"author": "Kay", "monkey": 1, "keyboard": 2}',
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text):
    assert redacted(text) == text


@given(st.text())
def test_any_text_can_be_redacted_and_stays_so(text):
    assert redacted(redacted(text)) == redacted(text)


@given(st.dictionaries(st.text(), st.text() | st.integers(), max_size=4))
def test_a_line_of_the_log_is_still_json(fields):
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "password=%s url=://a:%s@b", (fields, fields), None)
    formatter = logs._Redacting("%(message)s")
    assert set(json.loads(formatter.format(record))) == {"message"}


def test_a_traceback_is_masked_in_the_log():
    try:
        raise ValueError("no way to postgresql://u:hush@h/c")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "It failed", (), sys.exc_info())
    line = json.loads(logs._Redacting("%(message)s").format(record))
    assert "Traceback" in line["exc_info"]
    assert "hush" not in line["exc_info"]


@pytest.mark.parametrize(
    "ends",
    ["raise ValueError(TEXT)", "t = threading.Thread(target=lambda: 1 / int(TEXT)); t.start(); t.join()"],
    ids=["in the main thread", "in another thread"],
)
def test_an_exception_that_nobody_caught_is_masked(ends):
    program = f"import threading; from catalog import logs; logs.configure('INFO'); TEXT = '://u:hush@h'; {ends}"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" in ended.stderr
    assert f"://u:{MASK}@h" in ended.stderr
    assert "hush" not in ended.stderr


def test_a_known_secret_is_masked_also_where_the_text_was_cut_off_within_it():
    assert without("a tip-top-secret b tip-top-secret", ("tip-top-secret",)) == f"a {MASK} b {MASK}"
    assert without("a tip-top-sec", ("tip-top-secret",)) == f"a {MASK}"
    assert without("a tip", ("tip-top-secret",)) == "a tip"
    assert without("a long-one-more", ("long-one", "long-one-more")) == f"a {MASK}"


@given(st.text("ab", min_size=4, max_size=8), st.text("ab", max_size=20), st.integers(0, 20))
def test_no_known_secret_is_left_and_none_of_its_long_beginnings(secret, text, cut):
    left = without((text + secret + text)[:cut], (secret,))
    assert secret not in left
    assert not any(left.endswith(secret[:length]) for length in range(4, len(secret)))
