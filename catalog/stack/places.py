"""Where a stack keeps its files, and as whom PostgreSQL runs.

PostgreSQL refuses to run as root. Started by root it runs as an unprivileged account, which must be able to reach its
files; where it cannot (a project in /root), they live apart under /var/lib. No folder of anyone else is ever opened.

That account owns its own folders alone: the folders above them stay root's, so that it cannot place a link where root
makes a folder, and the owner is changed by descriptor.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from catalog.stack import ownership
from catalog.stack.errors import StackError

LONGEST_SOCKET_PATH = 100  # the system's limit is 104 to 108 bytes
STATE_FOLDER = Path("/var/lib")


class Places:
    """The folders of one stack, all derived from its data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.key = hashlib.sha256(str(self.data).encode()).hexdigest()[:10]
        self.account = _unprivileged_account() if os.geteuid() == 0 else None
        self.apart = STATE_FOLDER / f"catalog-{self.key}"
        self.logs = self.data / "logs"
        self.run = self.data / "run"

    def create(self) -> None:
        """Make the folders that everything else is put into."""
        for folder in (self.data, self.logs, self.run):
            if not folder.exists():
                folder.mkdir(parents=True)
                if self.account is not None:
                    folder.chmod(0o711)  # PostgreSQL's account must get through, whatever the umask

    @property
    def postgres_home(self) -> Path:
        """The folder above PostgreSQL's data: `data`, or the one apart. Where a cluster exists, it stays."""
        for home in (self.data, self.apart):
            if (home / "postgres" / "PG_VERSION").exists():
                return home
        return self.data if self._postgres_fits_in_data() else self.apart

    def _postgres_fits_in_data(self) -> bool:
        if self.account is None:
            return True
        short = _fits(self.data / "run" / "postgres" / ".s.PGSQL.5432")
        return short and reachable(self.data)

    @property
    def postgres_sockets(self) -> Path:
        """The folder of PostgreSQL's socket: its own, closed to everyone else."""
        folder = self.postgres_home / "run" / "postgres"
        return folder if _fits(folder / ".s.PGSQL.5432") else self._short / "postgres"

    def socket(self, name: str) -> Path:
        """Return the socket of a Redis, in `data/run` unless that path is too long for a socket."""
        path = self.run / f"{name}.sock"
        return path if _fits(path) else self._short / path.name

    @property
    def _short(self) -> Path:
        return _private_folder(f"catalog-{os.geteuid()}-{self.key}")

    def give(self, folder: Path) -> None:
        """Make `folder`, 0700, PostgreSQL's own; those above it are ours. Raises StackError for a link."""
        with self._own(folder.parent) as above, ownership.entered(folder, above) as made:
            if self.account is not None:
                ownership.give_away(made, self.account, folder)

    def make(self, folder: Path) -> None:
        """Make `folder` ours, and so each missing one above it; PostgreSQL's account may pass through."""
        with self._own(folder):
            pass

    @contextlib.contextmanager
    def _own(self, folder: Path) -> Iterator[int]:
        """Open a folder below one that we own, without following links. Folders that the account owns become ours."""
        base = next((base for base in (self.data, STATE_FOLDER) if folder.is_relative_to(base)), folder)
        with contextlib.ExitStack() as opened:
            at = opened.enter_context(ownership.entered(base))
            for path in reversed([folder, *folder.parents][: len(folder.relative_to(base).parts)]):
                at = opened.enter_context(ownership.entered(path, at))
                if self.account is not None:
                    ownership.take_back(at, self.account)
            yield at

    def wipe(self) -> None:
        """Delete everything of this stack: its data, what lives apart, its short socket folder."""
        if self.data.is_dir():
            for child in self.data.iterdir():
                delete(child)
        for folder in (self.apart, *_short_folders(f"catalog-{os.geteuid()}-{self.key}")):
            if folder.is_dir() and not folder.is_symlink():
                delete(folder)


def reachable(path: Path) -> bool:
    """Whether everyone may enter `path` and every folder above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StackError(
        "PostgreSQL refuses to run as root, and this machine has neither a `postgres` nor a `nobody` account.\n"
        "Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL 18 server."
    )


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH


def _short_folders(name: str) -> list[Path]:
    return [Path(base) / name for base in dict.fromkeys((tempfile.gettempdir(), "/tmp"))]  # noqa: S108  # nosec B108


def _private_folder(name: str) -> Path:
    """Return a private folder in the temp folder; reject one that another user created."""
    folder = next(path for path in _short_folders(name) if _fits(path / "postgres" / ".s.PGSQL.5432"))
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StackError(f"{folder} is not a folder of yours alone: remove it, then try again.")
    return folder


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
