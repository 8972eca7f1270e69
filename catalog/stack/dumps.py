"""pg_dump and pg_restore, on whatever server a URL names."""

import os
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from catalog.stack import programs
from catalog.stack.errors import StackError


def dump(url: str, file: Path) -> int:
    """Write the database to `file`, whole or not at all, and return its bytes. Raises StackError."""
    part = file.with_name(file.name + ".part")
    try:
        part.touch(mode=0o600)  # it holds the hashes of keys, and all that customers told
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
        part.replace(file)
    except OSError as error:
        raise StackError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def check(file: Path) -> None:
    """Raise StackError if there is no such file, or if it is none that `dump` has written."""
    if not file.is_file():
        raise StackError(f"There is no file {file}.")
    command = [str(programs.postgres_tool("pg_restore")), "--list", str(file)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise StackError(f"{file} is no backup: {listed.stderr.strip()}")


def load(url: str, file: Path) -> None:
    """Put a dump into the database, whole or not at all. Raises StackError."""
    _run("pg_restore", url, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(file))


def _run(program: str, url: str, *options: str) -> None:
    """Run a PostgreSQL tool. Pass the password by environment: command lines are public."""
    parsed = make_url(url)
    shown = parsed._replace(drivername="postgresql", password=None).render_as_string()
    command = [str(programs.postgres_tool(program)), f"--dbname={shown}", *options]
    environment = {**os.environ, **({"PGPASSWORD": str(parsed.password)} if parsed.password else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{program} failed:\n{done.stderr.strip()}")
