"""PostgreSQL's account against root: nothing that it puts in place of a folder makes root give away another one."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from catalog.stack import StackError, ownership, places, programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """The places of a project that PostgreSQL's account cannot reach: its files live apart."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode & 0o7777 | 0o711)
    monkeypatch.setattr(places, "STATE_FOLDER", tmp_path / "lib")
    (tmp_path / "lib").mkdir(mode=0o755)
    (tmp_path / "closed").mkdir(mode=0o700)
    found = places.Places(tmp_path / "closed" / "data")
    found.create()
    return found


@pytest.fixture
def victim(tmp_path):
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "kept").touch(mode=0o600)
    yield folder
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o700)
    assert (folder / "kept").stat().st_uid == 0


def as_account(stack, *command: str) -> int:
    """Run a program as PostgreSQL's account; return its exit status."""
    account = stack.account
    given = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return subprocess.run(command, check=False, capture_output=True, cwd="/", **given).returncode


def owned_as_earlier_versions_left_it(stack) -> Path:
    for folder in (stack.apart, stack.apart / "run"):
        folder.mkdir(mode=0o700)
        os.chown(folder, stack.account.pw_uid, stack.account.pw_gid)
    return stack.apart / "run" / "postgres"


def test_the_folders_above_stay_roots_and_the_account_can_put_nothing_there(stack, victim):
    sockets = stack.apart / "run" / "postgres"
    stack.give(sockets)
    assert (sockets.stat().st_uid, stat.S_IMODE(sockets.stat().st_mode)) == (stack.account.pw_uid, 0o700)
    for above in (stack.apart, stack.apart / "run"):
        assert (above.stat().st_uid, stat.S_IMODE(above.stat().st_mode)) == (0, 0o711)
    assert as_account(stack, "touch", str(sockets / "mine")) == 0
    assert as_account(stack, "ln", "-sfn", str(victim), str(stack.apart / "run" / "other")) != 0
    assert as_account(stack, "mv", str(sockets), str(sockets) + "2") != 0
    stack.give(sockets)


@pytest.mark.parametrize("name", ["run/postgres", "run", ""])
def test_a_link_that_the_account_had_put_there_is_refused(stack, victim, name):
    owned_as_earlier_versions_left_it(stack)
    place = stack.apart / name
    if name != "run/postgres":
        places.delete(place)
    place.symlink_to(victim)
    with pytest.raises(StackError, match="remove it"):
        stack.give(stack.apart / "run" / "postgres")


def test_a_folder_of_roots_that_is_in_use_is_not_given_away(stack, victim):
    place = owned_as_earlier_versions_left_it(stack)
    victim.rename(place)
    with pytest.raises(StackError, match="in use"):
        stack.give(place)
    place.rename(victim)


def test_what_earlier_versions_gave_is_taken_back(stack):
    place = owned_as_earlier_versions_left_it(stack)
    stack.give(place)
    assert [path.stat().st_uid for path in (stack.apart, place.parent, place)] == [0, 0, stack.account.pw_uid]


def test_root_runs_no_program_that_the_account_can_change(stack, victim, monkeypatch, tmp_path):
    server = tmp_path / "wheel" / programs.POSTGRES / "pginstall" / "bin" / "postgres"
    for folder in ("bin", "lib", "share"):
        (server.parents[1] / folder).mkdir(parents=True)
    for program in (server, server.with_name("initdb")):
        program.write_text("#!/bin/sh\necho 18.6\n")
        program.chmod(0o700)
    monkeypatch.setattr(programs, "postgres_server", lambda: server)
    owned_as_earlier_versions_left_it(stack)
    planted = stack.apart / f"postgresql-{server.stat().st_mtime_ns:x}"
    planted.mkdir()
    os.chown(planted, stack.account.pw_uid, stack.account.pw_gid)
    (stack.apart / "postgresql-0").symlink_to(victim)

    copied = programs.postgres_folder(stack)

    assert copied.is_relative_to(planted)
    for path in (copied / "postgres", copied, *copied.parents[:4]):
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode) & 0o022) == (0, 0), path
    assert as_account(stack, str(copied / "postgres")) == 0
    assert not list(stack.apart.glob("postgresql-0"))


def test_a_lock_file_that_is_a_link_or_a_pipe_is_not_followed_and_not_waited_for(tmp_path):
    (tmp_path / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="symbolic links"):
        ownership.read_start(tmp_path / "link")
    assert ownership.read_start(tmp_path / "pipe") == ""
