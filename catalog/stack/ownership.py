"""Folders that root makes and gives to another account: by descriptor, so that no link is followed (CWE-59).

An account that may write to a folder can replace what is in it by a link, between a check and a change. So each folder
is opened once, without following a link, and checks and changes are made to what was opened.
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
    """Make a folder, 0700, unless it exists, and open it; inside the opened folder `above` no link is followed.

    Raises StackError for what is no folder.
    """
    name = folder if above is None else folder.name
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=above)
    try:
        descriptor = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | (os.O_NOFOLLOW if above is not None else 0), dir_fd=above
        )
    except OSError as error:
        raise StackError(
            f"{folder} is no folder that can be used ({error.strerror}): remove it, then try again."
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give_away(descriptor: int, account: pwd.struct_passwd, shown: Path) -> None:
    """Give an opened folder, if it is empty, to an account. Raises StackError for one that is in use."""
    if os.fstat(descriptor).st_uid == account.pw_uid:
        return
    if os.listdir(descriptor):
        raise StackError(f"{shown} is in use and does not belong to {account.pw_name}: move it away, then try again.")
    os.fchown(descriptor, account.pw_uid, account.pw_gid)


def take_back(descriptor: int, account: pwd.struct_passwd) -> None:
    """Make an opened folder ours where the account has it, as earlier versions left it, and let the account through."""
    found = os.fstat(descriptor)
    if found.st_uid == account.pw_uid:
        os.fchown(descriptor, os.geteuid(), os.getegid())
    if found.st_uid in (account.pw_uid, os.geteuid()):
        os.fchmod(descriptor, found.st_mode & 0o777 | 0o711)


def is_ours(path: Path) -> bool:
    """Tell whether there is a folder of ours, and no link."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def read_start(path: Path, size: int = 4_096) -> str:
    """Return how a file begins that lies in another account's folder: no link is followed, no pipe waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, size).decode(errors="replace")
    finally:
        os.close(descriptor)
