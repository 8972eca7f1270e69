"""The checks that `manage.py lint` and `manage.py audit` make: what they find, and what they say when they cannot."""

import json
import subprocess
import sys

import pytest

from catalog.commands.develop import _audited
from catalog.commands.linting import GUESSES_OFF, checks, tracked_files
from catalog.config import ROOT

# Put together here, so that this file holds none.
PLANTED = {
    "an AWS key": "aws = '" + "AKIA" + "IOSFODNN7EXAMPLF'",
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "a GitHub token": "token = '" + "ghp_" + "a1B2" * 9 + "'",
    "a Stripe key": "key = '" + "sk_live_" + "a1B2c3" * 4 + "'",
    "a Slack token": "t = '" + "xoxb-" + "12345678901-123456789012-" + "a1B2c3" * 4 + "'",
}


def scan(*files: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", *GUESSES_OFF, *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("line", PLANTED.values(), ids=PLANTED)
def test_a_secret_in_a_file_is_found(tmp_path, line):
    (tmp_path / "settings.py").write_text(line + "\n")
    found = scan(str(tmp_path / "settings.py"))
    assert found.returncode == 1
    assert "settings.py:1" in found.stdout


def test_lint_looks_for_them_in_every_file_under_git():
    files = tracked_files()
    if not files:
        pytest.skip("this copy is not under git")
    assert {"catalog/app.py", "tests/secrets/test_checks.py", "docker-compose.yml", "README.md"} <= set(files)
    command = checks()["detect-secrets"]
    assert command[-len(files) :] == files
    assert set(GUESSES_OFF) <= set(command)


def report(*dependencies: dict) -> str:
    return json.dumps({"dependencies": list(dependencies), "fixes": []})


SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
VULNERABLE = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("dependencies", "status", "said"),
    [
        ([SOUND], 0, "1 of 1 requirements audited, 0 known vulnerabilities."),
        ([SOUND, VULNERABLE], 1, "old 1.0: CVE-1, mended in 1.1"),
        ([SOUND, UNKNOWN], 2, "The package index says nothing about 1 of them: ours"),
        ([VULNERABLE, UNKNOWN], 1, "old 1.0: CVE-1"),
    ],
)
def test_the_audit_names_what_it_found_and_what_it_could_not_ask(capsys, dependencies, status, said):
    assert _audited(report(*dependencies), "") == status
    assert said in "".join(capsys.readouterr())


def test_an_audit_that_gets_no_answer_says_so_and_does_not_pass(capsys):
    assert _audited("", "Traceback\nConnectionError: no index") == 2
    assert "Nothing could be audited: ConnectionError: no index" in capsys.readouterr().err
