"""What README.md tells receivers to do verifies what we send; docs/webhooks.md names every event."""

import json
import re
import shutil
import subprocess
import time

import pytest

from catalog.config import ROOT
from catalog.webhooks import signing
from catalog.webhooks.events import EVENTS

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
README = (ROOT / "README.md").read_text()
BODY = b'{"data":{"name":"L\xc3\xa4mp"}}'


def snippet(language: str) -> str:
    (found,) = (code for code in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if "verify(" in code)
    return found


def signed(secrets, timestamp=None):
    headers = signing.headers(secrets, "msg", timestamp or int(time.time()), BODY)
    return {name.lower(): value for name, value in headers.items()}


CASES = {
    "another secret": ("hush", signing.new_secret(), None, False),
    "a secret of text": ("hush", "hush", None, True),
    "a secret in base64": (WHSEC := signing.new_secret(), WHSEC, None, True),
    "an old delivery": ("hush", "hush", 1, False),
}


def python(secret, headers, body):
    names: dict = {}
    exec(snippet("python"), names)
    return names["verify"](secret, headers, body)


def node(secret, headers, body):
    arguments = f"{json.dumps(secret)}, {json.dumps(headers)}, Buffer.from({json.dumps(body.hex())}, 'hex')"
    script = snippet("javascript") + f"\nconsole.log(verify({arguments}));"
    return subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True).stdout.strip() == "true"


def php(secret, headers, body):
    script = snippet("php") + "\n[$secret, $headers, $body] = json_decode($argv[1], true);"
    script += "echo verify($secret, $headers, hex2bin($body)) ? 'true' : 'false';"
    arguments = json.dumps([secret, headers, body.hex()])
    done = subprocess.run(["php", "-r", script, "--", arguments], check=True, capture_output=True, text=True)
    return done.stdout == "true"


def where_there_is(program, verifier):
    missing = not shutil.which(program)
    return pytest.param(verifier, marks=pytest.mark.skipif(missing, reason=f"there is no {program} here"))


VERIFIERS = [python, where_there_is("node", node), where_there_is("php", php)]


@pytest.mark.parametrize("verify", VERIFIERS)
@pytest.mark.parametrize(("secret", "signer", "timestamp", "good"), CASES.values(), ids=CASES.keys())
def test_the_snippet_tells_good_from_bad(verify, secret, signer, timestamp, good):
    assert verify(secret, signed([signer], timestamp), BODY) is good


@pytest.mark.parametrize("verify", VERIFIERS)
def test_the_snippet_takes_either_secret_of_a_rotation_and_no_other_body(verify):
    headers = signed(["new", "old"])
    assert verify("old", headers, BODY)
    assert verify("new", headers, BODY)
    assert not verify("new", headers, BODY + b" ")


def test_the_page_names_every_event():
    assert all(f"`{event}`" in PAGE for event in EVENTS)
