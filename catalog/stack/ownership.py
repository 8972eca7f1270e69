"""Changes the owner of folders by descriptor, so that no symbolic link is followed (CWE-59).

An account that may write to a folder can replace its entries by links, between a check and a change (TOCTOU). So each
folder is opened once, without following a link, and checks and changes use the descriptor.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.stack.errors import StackError


@contextmanager
def entered(folder: Path, above: int | None = None) -> Iterator[int]:
    """Make a folder, 0700, unless it exists, and open it. Inside the opened folder `above` no link is followed.

    Raises StackError where the path is no folder.
    """
    name = folder if above is None else folder.name
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=above)
    flags = os.O_RDONLY | os.O_DIRECTORY | (0 if above is None else os.O_NOFOLLOW)
    try:
        descriptor = os.open(name, flags, dir_fd=above)
    except OSError as error:
        reason = f"{folder} cannot be opened as a folder ({error.strerror}): remove it, then try again."
        raise StackError(reason) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give_away(descriptor: int, account: pwd.struct_passwd, shown: Path) -> None:
    """Make an account the owner of an opened, empty folder. Raises StackError for one that is not empty."""
    if os.fstat(descriptor).st_uid == account.pw_uid:
        return
    if os.listdir(descriptor):
        raise StackError(f"{shown} is in use and does not belong to {account.pw_name}: move it away, then try again.")
    os.fchown(descriptor, account.pw_uid, account.pw_gid)


def take_back(descriptor: int, account: pwd.struct_passwd) -> None:
    """Own an opened folder that earlier versions gave to the account, and let the account pass through it."""
    found = os.fstat(descriptor)
    if found.st_uid == account.pw_uid:
        os.fchown(descriptor, os.geteuid(), os.getegid())
    if found.st_uid in (account.pw_uid, os.geteuid()):
        os.fchmod(descriptor, found.st_mode & 0o777 | 0o711)


def is_ours(path: Path) -> bool:
    """Return whether a path is a folder that we own, and no link."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def read_start(path: Path, size: int = 4_096) -> str:
    """Return the start of a file in another account's folder, without following a link or blocking at a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, size).decode(errors="replace")
    finally:
        os.close(descriptor)
