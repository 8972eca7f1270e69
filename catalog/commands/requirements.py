"""The verb `lock`: pins the dependencies of pyproject.toml in uv.lock and exports requirements*.txt from it."""

import subprocess
import sys
from pathlib import Path

import click

from catalog import config
from catalog.stack.errors import StackError

UV = Path(sys.executable).parent / "uv"
HEADER = "# Exported from uv.lock by `python3 manage.py lock`: change pyproject.toml, not this file.\n"
GROUPS = ("dev", "browser", "audit", "embedded", "uv")
EXPORTS = {
    "requirements.txt": ["--no-default-groups"],
    **{f"requirements-{group}.txt": ["--only-group", group] for group in GROUPS},
}


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lock(arguments: tuple[str, ...]) -> None:
    """Lock what pyproject.toml asks for and export requirements*.txt; arguments are those of uv lock: --upgrade."""
    _uv("lock", *arguments)
    for name, options in EXPORTS.items():
        (config.ROOT / name).write_text(exported(*options))


def exported(*options: str) -> str:
    """Return uv.lock as a requirement file with hashes and environment markers; needs no network."""
    return HEADER + _uv("export", "--frozen", "--offline", "--no-cache", "--no-emit-project", "--no-header", *options)


def _uv(*arguments: str) -> str:
    """Return the standard output of uv; StackError if it fails."""
    command = [str(UV), *arguments, "--quiet", "--python", sys.executable]
    done = subprocess.run(command, cwd=config.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise StackError(f"uv {arguments[0]} failed with exit status {done.returncode}.")
    return done.stdout
