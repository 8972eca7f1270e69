"""tools/pin_images.py on copies of the files, with a `docker` that answers from a script: no registry is needed."""

import os
import shutil
import subprocess
import sys

import pytest

from catalog.config import ROOT

DIGEST = "sha256:" + "0123456789abcdef" * 4
KNOWS = f'#!/bin/sh\ncase "$1" in image) echo "elsewhere@{DIGEST}";; esac\n'
PULLS_NOT = (
    '#!/bin/sh\n[ "$1 $3" != "pull redis:8" ] || { echo "no such host" >&2; exit 1; }\n' + KNOWS.split("\n", 1)[1]
)
NO_DIGEST = "#!/bin/sh\n"


@pytest.fixture
def project(tmp_path):
    """Copy the files that name base images, without digests, and return a function that runs the tool there."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "tools" / "pin_images.py", tmp_path / "tools")
    for name in ("Dockerfile", "docker-compose.yml"):
        lines = (ROOT / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join(line.partition("@sha256:")[0].rstrip() + "\n" for line in lines))

    def run(docker="", *arguments):
        if docker:
            (tmp_path / "bin" / "docker").write_text(docker)
            (tmp_path / "bin" / "docker").chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"} if docker else {"PATH": ""}
        command = [sys.executable, str(tmp_path / "tools" / "pin_images.py"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    run.folder = tmp_path  # type: ignore[attr-defined]
    return run


def files(project):
    return [(project.folder / name).read_text() for name in ("Dockerfile", "docker-compose.yml")]


def test_pinning_writes_the_digest_of_every_base_image(project):
    before = files(project)
    assert project(KNOWS).returncode == 0
    dockerfile, compose = files(project)
    assert dockerfile.count(f"\nFROM python:3.14-slim@{DIGEST}") == 2
    assert all(f"image: {image}@{DIGEST}\n" in compose for image in ("postgres:18", "redis:8", "nginx:1"))
    assert [text.replace(f"@{DIGEST}", "") for text in (dockerfile, compose)] == before
    assert project(KNOWS, "--check").returncode == 0


def test_pinning_replaces_an_older_digest(project):
    project(KNOWS.replace("0123", "9999"))
    project(KNOWS)
    assert all(text.count(DIGEST) == text.count("@sha256:") > 0 for text in files(project))


@pytest.mark.parametrize(
    ("docker", "message"),
    [(PULLS_NOT, "no such host"), (NO_DIGEST, "was it built here?"), ("", "Docker is not installed")],
)
def test_pinning_writes_nothing_when_an_image_has_no_digest(project, docker, message):
    before = files(project)
    failed = project(docker)
    assert (failed.returncode, files(project)) == (1, before)
    assert message in failed.stderr


def test_check_lists_each_image_without_a_digest(project):
    listed = project("", "--check")
    assert listed.returncode == 1
    assert "Dockerfile: python:3.14-slim has no digest" in listed.stderr
    assert "docker-compose.yml: postgres:18 has no digest" in listed.stderr
