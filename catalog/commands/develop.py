"""Verbs for working on the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from catalog import config
from catalog.stack.errors import StackError

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["--help"]}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)


@click.command(context_settings=PASS_ON)
@click.option("--all", "everything", is_flag=True, help="Include the tests that start web servers, workers or servers.")
@ARGUMENTS
def test(everything: bool, arguments: tuple[str, ...]) -> None:
    """Run the tests in parallel; arguments are pytest's."""
    tier = [] if everything or _selects(arguments) else ["-m", "not processes"]
    _pytest(["-n", "auto", "--dist", "loadscope", "--no-loadscope-reorder", *tier, *arguments])


def _selects(arguments: tuple[str, ...]) -> bool:
    """Return whether pytest's arguments select tests themselves, by path, name or marker."""
    return any(part.startswith(("-k", "-m")) or _is_test_path(part.partition("::")[0]) for part in arguments)


def _is_test_path(part: str) -> bool:
    tests = config.ROOT / "tests"
    path = Path(part).resolve()
    return path.exists() and tests in (path, *path.parents)


@click.command("test-verbose", context_settings=PASS_ON)
@ARGUMENTS
def test_verbose(arguments: tuple[str, ...]) -> None:
    """Run the tests, showing each HTTP request and response."""
    os.environ["CATALOG_TEST_VERBOSE"] = "1"
    _pytest(["-n", "0", "-s", *arguments])


@click.command("test-debug", context_settings=PASS_ON)
@ARGUMENTS
def test_debug(arguments: tuple[str, ...]) -> None:
    """As test-verbose, and the last 50 lines of the server's log."""
    os.environ["CATALOG_TEST_DEBUG"] = os.environ["CATALOG_TEST_VERBOSE"] = "1"
    _pytest(["-n", "0", "-s", *arguments])


@click.command("test-faults", context_settings=PASS_ON)
@click.option("--long", is_flag=True, help="Ten minutes of reads and fifteen of webhooks, not 10 s of each.")
@ARGUMENTS
def test_faults(long: bool, arguments: tuple[str, ...]) -> None:
    """Run the tests that kill, stop and cut off servers while the service works."""
    if long:
        os.environ |= {"CATALOG_FAULT_SECONDS": "60", "CATALOG_FAULT_ROUNDS": "10"}
        os.environ["CATALOG_FAULT_WEBHOOK_ROUNDS"] = "15"
    _pytest(["-n", "2", *_selected("tests/faults", arguments)])


@click.command("test-browser", context_settings=PASS_ON)
@ARGUMENTS
def test_browser(arguments: tuple[str, ...]) -> None:
    """Run the tests that open the pages in Chromium."""
    if not any(map(shutil.which, CHROMIUM)):
        raise StackError("There is no Chromium here. On Debian and Ubuntu: sudo apt install chromium")
    _pytest(["-n", "2", "--dist", "loadfile", *_selected("tests/browser", arguments)])


@click.command("test-api", context_settings=PASS_ON)
@click.option("--long", is_flag=True, help="At least 20,000 cases, five times as many an operation.")
@ARGUMENTS
def test_api(long: bool, arguments: tuple[str, ...]) -> None:
    """Hold the running service against its own document with schemathesis; arguments are pytest's."""
    if long:
        os.environ |= {"CATALOG_SCHEMATHESIS_CASES": "20000", "CATALOG_SCHEMATHESIS_EXAMPLES": "100"}
    _pytest(["-n", "0", "-s", *_selected("tests/conformance", arguments)])


def _selected(folder: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the arguments for pytest; all of the folder, if they name no part of it."""
    named = any(argument.startswith(folder) for argument in arguments)
    return [*([] if named else [folder]), *arguments]


@click.command()
def build() -> None:
    """Install what the service needs, and do nothing else."""
    click.echo("Everything is installed.")  # manage.py has done it before any verb runs


@click.command()
def audit() -> None:
    """Ask the package index which of the pinned requirements have known vulnerabilities: pip-audit."""
    files = [part for path in sorted(config.ROOT.glob("requirements*.txt")) for part in ("--requirement", path.name)]
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", *files]
    command = [sys.executable, "-m", "pip_audit", *options]
    asked = subprocess.run(command, cwd=config.ROOT, capture_output=True, text=True, check=False)
    sys.exit(_audited(asked.stdout, asked.stderr))


def _audited(report: str, said: str) -> int:
    """Print what pip-audit found; return 0 if all is well, 1 for vulnerabilities, 2 where the index did not say."""
    try:
        found = json.loads(report)["dependencies"]
    except ValueError:
        click.echo(f"Nothing could be audited: {(said.strip() or 'pip-audit said nothing').splitlines()[-1]}", err=True)
        return 2
    known = [(one, each) for one in found for each in one.get("vulns", [])]
    for one, each in known:
        click.echo(f"{one['name']} {one['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or '-'}")
    skipped = [one["name"] for one in found if "skip_reason" in one]
    click.echo(f"{len(found) - len(skipped)} of {len(found)} requirements audited, {len(known)} known vulnerabilities.")
    if skipped:
        named = ", ".join(skipped[:10]) + (", …" if len(skipped) > 10 else "")
        click.echo(f"The package index says nothing about {len(skipped)} of them: {named}", err=True)
    return 1 if known else 2 if skipped else 0


@click.command(context_settings=PASS_ON)
@click.argument("name", required=False)
@ARGUMENTS
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Run the benchmark NAME of bench/; without a name, list them."""
    found = {path.stem: path for path in sorted((config.ROOT / "bench").glob("[a-z]*.py"))}
    if name not in found:
        raise StackError(f"The benchmarks are: {', '.join(found) or 'none'}")
    os.execv(sys.executable, [sys.executable, str(found[name]), *arguments])  # noqa: S606  # nosec B606


@click.command(context_settings=PASS_ON)
@ARGUMENTS
def shell(arguments: tuple[str, ...]) -> None:
    """Open a Python shell with the application loaded."""
    _flask("shell", *arguments)


@click.command("db", context_settings=PASS_ON)
@ARGUMENTS
def database(arguments: tuple[str, ...]) -> None:
    """Migrations: `db upgrade`, `db downgrade`, `db current`, and all else of `flask db`."""
    _flask("db", *arguments)


@click.command()
def routes() -> None:
    """List every URL the service answers."""
    _flask("routes")


def _flask(*arguments: str) -> None:
    from catalog.commands.data import run_flask

    sys.exit(run_flask(list(arguments)))


def _pytest(arguments: list[str]) -> None:
    os.chdir(config.ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606  # nosec B606
