"""The verb `lint`: independent checks, run side by side."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import click

from catalog import config

SERVED = ("catalog", "migrations", "tools", "manage.py", "wsgi.py", "gunicorn.conf.py")
TYPED_LOOSELY = ("tests", "bench", "tools")
# What guesses by names and randomness would find every test; what is left knows tokens and private keys by their form.
GUESSES = ("KeywordDetector", "BasicAuthDetector", "Base64HighEntropyString", "HexHighEntropyString")
GUESSES_OFF = [part for name in GUESSES for part in ("--disable-plugin", name)]
# Files of the code host, and the schemas that check-jsonschema brings for them.
SCHEMAS = {
    ".github/workflows/*.yml": "vendor.github-workflows",
    ".github/dependabot.yml": "vendor.dependabot",
    ".github/ISSUE_TEMPLATE/[!c]*.yml": "vendor.github-issue-forms",
    "docker-compose.yml": "vendor.compose-spec",
}


class Finished(NamedTuple):
    """A check that has ended."""

    name: str
    status: int
    output: str
    seconds: float


@click.command()
def lint() -> None:
    """Check style, format, types, JavaScript, dangerous calls, secrets in files and CI, side by side."""
    failed = []
    for check in run_side_by_side(checks()):
        click.echo(f"{check.name}: {'failed' if check.status else 'passed'} in {check.seconds:.1f} s")
        if check.status:
            click.echo(check.output)
            failed.append(check.name)
    if failed:
        click.echo(f"Failed: {', '.join(sorted(failed))}", err=True)
    sys.exit(1 if failed else 0)


def checks() -> dict[str, list[str]]:
    """Return each check's command by its name, those that take longest first."""
    python = [sys.executable, "-m"]
    oxlint = str(Path(sys.executable).with_name("oxlint"))
    return {
        # Tests replace what a module has imported, which this flag allows; each profile has its own cache.
        "mypy of tests": [*python, "mypy", "--implicit-reexport", "--cache-dir", ".mypy_cache/tests", *TYPED_LOOSELY],
        "mypy": [*python, "mypy"],
        "detect-secrets": [*python, "detect_secrets.pre_commit_hook", *GUESSES_OFF, *tracked_files()],
        "bandit": [*python, "bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *SERVED],
        "ruff check": [*python, "ruff", "check", "."],
        "ruff format": [*python, "ruff", "format", "--check", "."],
        "oxlint": [oxlint, "--deny-warnings", "."],
        **{f"schema of {pattern}": _schema_check(pattern, schema) for pattern, schema in SCHEMAS.items()},
    }


def _schema_check(pattern: str, schema: str) -> list[str]:
    files = sorted(str(path.relative_to(config.ROOT)) for path in config.ROOT.glob(pattern))
    return [sys.executable, "-m", "check_jsonschema", "--quiet", "--builtin-schema", schema, *files]


def run_side_by_side(commands: dict[str, list[str]]) -> Iterator[Finished]:
    """Run as many checks at a time as there are processors; yield each when it ends."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = [pool.submit(_run, name, command) for name, command in commands.items()]
        for check in as_completed(started):
            yield check.result()


def _run(name: str, command: list[str]) -> Finished:
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=config.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return Finished(name, done.returncode, done.stdout, time.monotonic() - began)


def tracked_files() -> list[str]:
    """Return the files under git but the vendored ones; none in a copy without git, from which nothing is published."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=config.ROOT, capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.split("\0") if name and "/vendor/" not in name]
