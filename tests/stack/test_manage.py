"""manage.py before there is a `.venv`: in folders that hold nothing but it, requirement files and a small cli.py."""

import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from catalog import config
from tests.processes import free_port

pytestmark = pytest.mark.processes

CLI = "import sys; print('verb:', *sys.argv[1:])\n"
AS_PYTHON = "import runpy, sys; sys.version_info = ({}, 1); runpy.run_path('manage.py', run_name='__main__')"
UV = Path(sys.executable).parent / "uv"
# The Python that the tests' `.venv` was made by; it has pip, `.venv` has none.
BASE = sys._base_executable  # type: ignore[attr-defined]
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
        [BASE, *command],
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


@pytest.mark.parametrize("version", ["3, 9", "3, 10", "3, 15", "4, 0"])
def test_a_python_that_is_too_old_or_too_new_is_told_which_ones_are_supported(folder, version):
    code, output = run(folder, "-c", AS_PYTHON.format(version))

    assert code == 1
    given = version.replace(", ", ".")
    assert output.startswith(f"This needs Python 3.11, 3.12, 3.13 or 3.14; this is Python {given} (")
    assert "Traceback" not in output
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


def wheel(folder, name, version="1.0", **files):
    """Write a wheel with these files, its line for a requirement file beside it, and return that line."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files |= {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    files |= {f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files |= {f"{info}/RECORD": "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])}
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file)
            entry.external_attr = 0o100755 << 16  # pip makes a script executable only where the wheel says so
            archive.writestr(entry, text)
    return f"{name}=={version} \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def wheels(tmp_path):
    """A folder of wheels that pip is configured with in place of an index."""
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


def offline(wheels, path="/usr/bin:/bin"):
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    return settings | {"UV_NO_CACHE": "1", "PATH": path}  # uv may take a file with the right hash from its cache


def uv_that_notes(folder):
    """Return a script that runs uv, and leaves a file behind that says so."""
    return f'#!/bin/sh\necho "$@" >>{folder}/uv-was-run\nexec {UV} "$@"\n'


@pytest.mark.parametrize("installer", ["pip", "uv by pip", "uv on PATH"])
def test_requirements_are_installed_with_their_hashes_by_uv_or_pip(folder, wheels, installer):
    line = wheel(wheels, "thing", **{"thing.py": "here = 1\n"})
    (folder / "requirements.txt").write_text(line)
    environment = offline(wheels)
    if installer == "uv by pip":
        uv = wheel(wheels, "uv", **{"uv-1.0.data/scripts/uv": uv_that_notes(folder)})
        (folder / "requirements-uv.txt").write_text(uv)
    elif installer == "uv on PATH":
        (folder / "bin").mkdir()
        (folder / "bin" / "uv").write_text(uv_that_notes(folder))
        (folder / "bin" / "uv").chmod(0o755)
        environment = {"UV_NO_CONFIG": "1", "UV_NO_CACHE": "1", "UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"}
        environment["PATH"] = f"{folder / 'bin'}:/usr/bin:/bin"

    code, output = run(folder, "manage.py", "help", **environment)
    assert code == 0, output
    python = folder / ".venv" / "bin" / "python"
    assert subprocess.run([python, "-c", "import thing"]).returncode == 0
    assert subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 1
    assert subprocess.run([python, "-c", "import setuptools"], capture_output=True).returncode == 1
    assert (folder / "uv-was-run").exists() == (installer != "pip")

    wheel(wheels, "thing", **{"thing.py": "here = 'another'\n"})  # the same version with another content
    shutil.rmtree(folder / ".venv")
    code, output = run(folder, "manage.py", "help", **environment)
    assert code == 1
    assert "hash" in output.lower()
    assert not (folder / ".venv" / "installed" / "requirements.txt").exists()


def test_a_requirement_without_a_hash_is_refused(folder, wheels):
    wheel(wheels, "thing")
    (folder / "requirements.txt").write_text("thing==1.0\n")
    code, output = run(folder, "manage.py", "help", **offline(wheels))
    assert code == 1
    assert "hash" in output.lower()


def test_a_python_without_pip_gets_one_aside(folder, wheels):
    bare = folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    (folder / "requirements.txt").write_text(wheel(wheels, "thing", **{"thing.py": ""}))

    command = [bare / "bin" / "python", "manage.py", "help"]
    subprocess.run(command, cwd=folder, env={**SERVERS, **offline(wheels)}, check=True)
    python = folder / ".venv" / "bin" / "python"
    assert subprocess.run([python, "-c", "import thing"]).returncode == 0
    assert subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 1


def test_a_uv_on_path_that_does_not_run_is_passed_over(folder, wheels):
    (folder / "requirements.txt").write_text(wheel(wheels, "thing"))
    (folder / "bin").mkdir()
    (folder / "bin" / "uv").write_text("#!/bin/sh\necho 'uv: command not found' >&2\nexit 127\n")
    (folder / "bin" / "uv").chmod(0o755)
    assert run(folder, "manage.py", "help", **offline(wheels, f"{folder / 'bin'}:/usr/bin:/bin"))[0] == 0
