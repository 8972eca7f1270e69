"""The code from before the newest migration serves while that comes in, and beside the new code afterwards."""

import functools
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from catalog.config import ROOT
from tests.faults.load import Load
from tests.faults.service import Process, Service
from tests.processes import free_port, wait_for

MORE = 60


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"the history of the project is not here: {done.stderr.decode().strip()}")
    return done.stdout


@pytest.fixture
def old_code(tmp_path) -> Path:
    """The project as it was before its newest migration."""
    newest = max((ROOT / "migrations" / "versions").glob("0*.py"))
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    if not added:
        pytest.skip("the newest migration is not committed yet")
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{added[-1]}^"))) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    assert not (tmp_path / "old" / newest.relative_to(ROOT)).exists()
    return tmp_path / "old"


@functools.cache
def python_of(code: Path) -> str:
    """Return the Python that has the packages of this code: the tests' own, unless it requires others."""
    if (code / "requirements.txt").read_text() == (ROOT / "requirements.txt").read_text():
        return sys.executable
    subprocess.run([sys.executable, "manage.py", "build"], cwd=code, check=True, capture_output=True)
    return str(code / ".venv" / "bin" / "python")


class OldProcess(Process):
    """One of the commands of the old code."""

    def command(self) -> list[str]:
        return [python_of(self.folder), *self._arguments]


class Old(Service):
    """The service of old code, and beside it a web server of the present code."""

    def __init__(self, folder: Path, code: Path) -> None:
        super().__init__(folder)
        self.old = {**self.environment, "PYTHONPATH": str(code), "DATA_DIR": str(folder / "old")}
        own = {"PORT": str(free_port()), "DATA_DIR": str(folder / "new")}
        gunicorn = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app")
        self.new_url = f"http://127.0.0.1:{own['PORT']}"
        self.new = Process("new", folder, self.environment | own, *gunicorn)
        self.web = OldProcess("old", folder, self.old, *gunicorn)
        self.web.folder = code
        self.processes = [self.web]

    def start(self) -> None:
        self.servers.start()
        self.prepare(self.web.folder, self.old)
        self.mend()

    def prepare(self, code: Path, environment: dict[str, str]) -> None:
        command = [python_of(code), "-m", "catalog.cli", "prepare"]
        subprocess.run(command, cwd=code, env=environment, check=True, capture_output=True)

    def version(self) -> str:
        engine = create_engine(self.servers.database_url)
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        engine.dispose()
        return found


@pytest.fixture
def service(tmp_path_factory, old_code) -> Iterator[Old]:
    folder = tmp_path_factory.mktemp("upgrade")
    folder.chmod(0o711)
    made = Old(folder, old_code)
    try:
        made.start()
        yield made
    finally:
        made.new.kill()
        made.stop()


def test_old_code_serves_while_the_newest_migration_comes_in_and_beside_the_new_code(service):
    old, new = (f"{url}/api/v1/products" for url in (service.url, service.new_url))
    with Load(old, clients=2).applied() as load:
        go_on(load)
        before = service.version()
        service.prepare(ROOT, service.environment)
        assert service.version() > before
        go_on(load)
        service.new.launch()
        wait_for(lambda: answers(f"{service.new_url}/health/ready"))
        with Load(new, clients=2).applied() as fresh:
            go_on(load)
            go_on(fresh)
        made = requests.post(new, json={"name": "New"}, timeout=5).json()
        assert requests.get(f"{old}/{made['id']}", timeout=5).json()["name"] == "New"
    assert (load.unanswered, fresh.unanswered) == (0, 0)


def go_on(load: Load) -> None:
    """Wait until so many more changes are answered."""
    before = len(load.acknowledged)
    wait_for(lambda: len(load.acknowledged) >= before + MORE)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
