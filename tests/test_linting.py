"""The verb `lint`: what it prints and how it exits, with checks that are quick."""

import re
import sys

import pytest
from click.testing import CliRunner

from catalog.commands import linting

PASSES = [sys.executable, "-c", "print('noise')"]
FAILS = [sys.executable, "-c", "import sys; print('line 1 is wrong'); sys.exit('see above')"]
WAITS = "import sys, time; from pathlib import Path\nwhile not Path(sys.argv[1]).exists(): time.sleep(0.01)"
WRITES = "import sys; from pathlib import Path; Path(sys.argv[1]).touch()"


def lint(monkeypatch, **checks):
    monkeypatch.setattr(linting, "checks", lambda: checks)
    return CliRunner().invoke(linting.lint)


def test_lint_prints_one_line_with_seconds_for_a_check_that_passes(monkeypatch):
    done = lint(monkeypatch, first=PASSES, second=PASSES)
    assert done.exit_code == 0
    assert re.fullmatch(r"((first|second): passed in \d+\.\d s\n){2}", done.output)


def test_lint_shows_the_output_and_fails_when_a_check_fails(monkeypatch):
    done = lint(monkeypatch, good=PASSES, bad=FAILS)
    assert done.exit_code == 1
    assert "line 1 is wrong\nsee above" in done.output
    assert "noise" not in done.output
    assert done.output.endswith("Failed: bad\n")


def test_lint_runs_checks_side_by_side(monkeypatch, tmp_path):
    monkeypatch.setattr(linting.os, "cpu_count", lambda: 2)
    waits, writes = ([sys.executable, "-c", program, str(tmp_path / "written")] for program in (WAITS, WRITES))
    assert lint(monkeypatch, waits=waits, writes=writes).exit_code == 0


@pytest.mark.skipif(not (linting.config.ROOT / ".github").exists(), reason="this copy is not the whole repository")
def test_lint_names_files_that_exist():
    for pattern in linting.SCHEMAS:
        assert list(linting.config.ROOT.glob(pattern)), pattern
    assert all((linting.config.ROOT / name).exists() for name in (*linting.SERVED, *linting.TYPED_LOOSELY))
