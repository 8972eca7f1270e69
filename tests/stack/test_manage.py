"""manage.py before there is a `.venv`: in folders that hold nothing but it, requirement files and a small cli.py."""

import os
import shutil
import subprocess
import sys

import pytest

from catalog import config
from tests.processes import free_port

pytestmark = pytest.mark.processes

CLI = "import sys; print('verb:', *sys.argv[1:])\n"
OLD = "import runpy, sys; sys.version_info = (3, 9, 1); runpy.run_path('manage.py', run_name='__main__')"
SERVERS = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL"), "given")


@pytest.fixture
def folder(tmp_path):
    """A project that needs no package."""
    shutil.copy(config.ROOT / "manage.py", tmp_path)
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "__init__.py").touch()
    (tmp_path / "catalog" / "cli.py").write_text(CLI)
    for name in ("requirements.txt", "requirements-embedded.txt"):
        (tmp_path / name).write_text("# none\n")
    return tmp_path


def start(folder, *command, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**clean, **SERVERS, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder, *command, **environment):
    process = start(folder, *command, **environment)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_an_old_python_is_told_which_one_is_needed(folder):
    code, output = run(folder, "-c", OLD)

    assert code == 1
    assert output.startswith("This needs Python 3.11 or newer; this is Python 3.9")
    assert not (folder / ".venv").exists()


def test_two_at_once_install_once_and_later_runs_install_nothing(folder):
    both = [start(folder, "manage.py", "status", "--now") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sum("Making .venv" in output for output in outputs) == 1
    assert all("verb: status --now" in output for output in outputs)
    assert run(folder, "manage.py", "help") == (0, "verb: help\n")

    (folder / ".venv" / "installing").touch()  # as a run that was killed while installing leaves it
    assert "Making .venv" in run(folder, "manage.py", "help")[1]


def test_an_index_that_cannot_be_reached_is_named_as_the_reason_and_the_next_run_tries_again(folder):
    (folder / "requirements.txt").write_text("no-such-package-of-the-catalog==1.0\n")
    nowhere = {"PIP_INDEX_URL": f"http://127.0.0.1:{free_port()}/simple", "PIP_CONFIG_FILE": os.devnull}

    code, output = run(folder, "manage.py", "start", **nowhere)
    assert code == 1
    assert "no-such-package-of-the-catalog==1.0" in output
    assert "The package index could not be reached" in output
    assert "Traceback" not in output

    (folder / "requirements.txt").write_text("# none\n")
    assert run(folder, "manage.py", "help", **nowhere)[0] == 0
