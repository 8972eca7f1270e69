"""What goes on for long ends soon after whoever looks would be let in no more."""

import contextlib
import io
import re
import time

import pytest
import requests

from catalog.auth import keyring
from catalog.auth import service as keys
from catalog.console import live
from catalog.imports import watching
from catalog.users import service as users
from tests.auth.conftest import COOKIE, PASSWORD, bearer, key_id

pytestmark = pytest.mark.processes

HTML = {"Accept": "text/html"}
PROMISED_SECONDS = 5


@pytest.fixture
def url(production, production_url):
    return production_url


def signed_in(url, **given):
    """Return the cookies of a browser that has signed in; requests would not send a secure one over plain HTTP."""
    session = requests.Session()
    page = session.get(f"{url}/console/sign-in", headers=HTML, timeout=10)
    form = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1], **given}
    answer = session.post(f"{url}/console/sign-in", data=form, allow_redirects=False, timeout=10)
    assert answer.status_code == 303, answer.text
    return {"Cookie": f"{COOKIE}={session.cookies[COOKIE]}"}


def seconds_to_the_end(answer):
    """Read a stream to its end, and return how long that took."""
    began = time.monotonic()
    with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
        for _ in answer.iter_content(1024):
            assert time.monotonic() - began < 20
    return time.monotonic() - began


def open_stream(url, path, headers):
    answer = requests.get(url + path, headers={"Accept": "text/event-stream", **headers}, stream=True, timeout=20)
    assert answer.status_code == 200
    next(answer.iter_content(64))
    return answer


@pytest.mark.parametrize("pace", [live.PACE, watching.PACE], ids=["overview", "import"])
def test_a_look_that_asks_anew_comes_soon_enough(pace):
    """These are the times of the service itself; the server below believes a key for a second."""
    assert keyring.RENEWED_SECONDS + pace.look_seconds < PROMISED_SECONDS


@pytest.mark.parametrize("ending", ["disabled", "revoked"])
def test_the_overview_is_told_no_more_within_5_seconds(url, production, new_key, ending):
    key = new_key("jobs")
    with production.app_context():
        ada = users.create({"name": "Ada", "password": PASSWORD, "scopes": ["admin"]}).id
    given = {"name": "Ada", "password": PASSWORD} if ending == "disabled" else {"key": key}
    stream = open_stream(url, "/console/overview/events", signed_in(url, **given))
    with production.app_context():
        users.update(ada, {"disabled": True}) if ending == "disabled" else keys.revoke(key_id(key))
    assert seconds_to_the_end(stream) < PROMISED_SECONDS


def test_an_import_is_told_of_no_more_to_a_key_that_is_revoked(url, production, new_key):
    """Nothing works on the import here, so that its events would go on for a minute."""
    key = new_key("imports")
    file = {"file": ("lamps.csv", io.BytesIO(b"sku,name\nS-1,Lamp\n"))}
    import_id = requests.post(f"{url}/api/v1/products/upload", files=file, headers=bearer(key), timeout=10).json()
    stream = open_stream(url, f"/api/v1/imports/{import_id['task_id']}/events", bearer(key))
    with production.app_context():
        keys.revoke(key_id(key))
    assert seconds_to_the_end(stream) < PROMISED_SECONDS
