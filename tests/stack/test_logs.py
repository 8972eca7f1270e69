"""The logs as `start` and `logs` print them."""

import errno
import io
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.stack import logs
from catalog.stack.logs import Follower
from catalog.stack.places import Places


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def places(tmp_path) -> Places:
    found = Places(tmp_path)
    found.logs.mkdir(parents=True)
    return found


@pytest.fixture
def follower(places) -> Iterator[Follower]:
    made = Follower(places)
    yield made
    for file, _ in made.files.values():
        file.close()


def shown(follower: Follower, output: io.StringIO) -> str:
    follower.output = output
    for _ in range(2):  # the first round finds new files, the next prints them
        follower.show()
    return output.getvalue()


def grown(places) -> Path:
    path = places.logs / "web.log"
    with path.open("wb") as file:
        file.truncate(logs.LARGEST_BYTES + 1)
    path.chmod(0o644)
    return path


def test_a_log_that_grew_too_large_is_moved_and_both_parts_are_their_owners_alone(places):
    log = grown(places)
    logs.opened(log).close()
    logs.rotate(places)
    older = log.with_suffix(".log.1")
    assert (log.stat().st_size, older.stat().st_size) == (0, logs.LARGEST_BYTES + 1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (log, older)} == {0o600}


def test_a_log_that_cannot_be_rotated_on_a_full_disk_stays_and_is_named(places, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = grown(places)
    monkeypatch.setattr(shutil, "copyfile", full)
    logs.rotate(places)
    assert log.stat().st_size == logs.LARGEST_BYTES + 1
    assert not log.with_suffix(".log.1").exists()
    assert "No space left" in caplog.text


def test_a_line_has_the_time_and_the_name_of_its_process_and_is_printed_when_it_is_whole(places, follower):
    log = places.logs / "web.log"
    log.write_bytes(b"first\n\nhalf")
    lines = shown(follower, io.StringIO()).splitlines()
    assert [line[8:] for line in lines] == [f" {'web':<15} | {text}" for text in ("first", "")]
    assert [len(line.split(" ")[0].split(":")) for line in lines] == [3, 3]
    with log.open("ab") as file:
        file.write(b" \xff done\n")
    assert shown(follower, io.StringIO()).endswith("| half � done\n")


def test_each_process_has_a_colour_of_its_own_on_a_terminal_and_none_elsewhere(places, follower):
    logs = [places.logs / f"{name}.log" for name in ("web", "clock")]
    for log in logs:
        log.write_text("x\n")
    assert "\033" not in shown(follower, io.StringIO())
    for log in logs:
        with log.open("a") as file:
            file.write("x\n")
    lines = shown(follower, Terminal()).splitlines()
    assert [line[4:9] for line in lines] == ["\033[36m", "\033[33m"]
    assert all(line.endswith("| \033[0mx") for line in lines)
