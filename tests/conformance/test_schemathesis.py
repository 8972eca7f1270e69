"""The running service, web and workers, against its own document: schemathesis with all its checks."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import requests

from catalog.access import ADMIN, SCOPES
from tests import forked
from tests.auth.conftest import PRODUCTION
from tests.conftest import empty_tables
from tests.processes import served, wait_for

# Of each operation in a round, and as many scenarios; the coverage phase comes on top. --long makes many more.
EXAMPLES = int(os.environ.get("CATALOG_SCHEMATHESIS_EXAMPLES", "10"))
# More rounds, with other seeds, until there are so many cases.
WANTED = int(os.environ.get("CATALOG_SCHEMATHESIS_CASES", "1"))
FLASK = ("flask", "--app", "wsgi")
CONFIG = Path(__file__).with_name("schemathesis.toml")
PROCESSES = (("worker", "imports"), ("worker", "default"), ("send-webhooks",), ("clock",))


@pytest.fixture
def address(app, environment) -> Iterator[str]:
    """The address of a whole service of its own."""
    with whole_service(environment) as url:
        fill(url)
        yield url
    empty_tables(app)


@pytest.fixture
def closed(app, environment) -> Iterator[tuple[str, str]]:
    """The address of a service in production, and a key that may do everything but make keys."""
    settings = {**environment, **PRODUCTION}
    command = [*FLASK, "keys", "create", "Tester", *(f"--scope={scope}" for scope in SCOPES if scope != ADMIN)]
    made = forked.run(command, {**os.environ, **settings})
    made.check_returncode()
    with whole_service(settings) as url:
        yield url, made.stdout.strip()
    empty_tables(app)


@contextlib.contextmanager
def whole_service(settings: dict[str, str]) -> Iterator[str]:
    """Run web, workers and clock with these settings; yield the address."""
    settings = {**settings, "CATALOG_ENV_FILE": os.devnull, "LOG_LEVEL": "ERROR"}
    with contextlib.ExitStack() as stack:
        for command in PROCESSES:
            stack.enter_context(forked.running(settings, "catalog.cli", *command))
        yield stack.enter_context(served(settings, workers=2))


def fill(url: str) -> None:
    """Leave one of everything that takes a file or time to make, so that its operations find something."""
    api = f"{url}/api/v1"
    rows = "sku,name,price\nLAMP-1,Desk lamp,39.9\nLAMP-2,Lamp,cheap\n"
    imported = requests.post(f"{api}/products/upload", files={"file": ("products.csv", rows)}, timeout=10).json()
    wait_for(lambda: requests.get(f"{api}/imports/{imported['task_id']}", timeout=10).json()["finished_at"])
    requests.post(f"{api}/jobs/test", json={"fail": True}, timeout=10).raise_for_status()
    requests.delete(f"{api}/products/all", timeout=10).raise_for_status()


def test_the_api_is_what_its_document_says(address, tmp_path):
    print(all_rounds(address, tmp_path, EXAMPLES))
    assert served_from_the_cache(address), "no read was answered by the hot path"


def test_in_production_it_is_so_too_with_a_key(closed, tmp_path):
    url, key = closed
    print(all_rounds(url, tmp_path, EXAMPLES // 2, {"Authorization": f"Bearer {key}"}))


def all_rounds(address: str, folder: Path, examples: int, headers: Mapping[str, str] | None = None) -> str:
    """Run schemathesis with one seed after the other until it has made WANTED cases; return how many there were."""
    cases, rounds, began = 0, 0, time.monotonic()
    while rounds == 0 or cases < WANTED:
        rounds += 1
        cases += one_round(address, folder, rounds, examples, headers or {})
    return f"{cases:,} cases in {time.monotonic() - began:.0f} s, {rounds} rounds, 0 failures"


def served_from_the_cache(address: str) -> int:
    """Return how many reads were hits, which are answered before Flask."""
    counted = requests.get(f"{address}/metrics", timeout=10).text
    return int(float(re.search(r'catalog_cache_reads_total\{outcome="HIT"\} (\S+)', counted)[1]))


def one_round(address: str, folder: Path, seed: int, examples: int, headers: Mapping[str, str]) -> int:
    """Run schemathesis once and return how many cases it made; fail if it found anything."""
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    options = ["--seed", str(seed), "--max-examples", str(examples), "--no-color"]
    options += [f"--header={name}: {value}" for name, value in headers.items()]
    command = [*program, f"{address}/api/openapi.json", *options]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("hooks.py"))}
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = "".join(_shown(process.stdout))
    assert process.returncode == 0, "see above: `Reproduce with`"
    total = re.search(r"Selected: \d+/(\d+)", said)[1]
    assert f"Selected: {total}/{total}" in said, "an operation was left out"
    assert re.search(rf"Tested: {total}\b", said), "an operation was not tested"
    return int(re.search(r"([\d,]+) generated", said)[1].replace(",", ""))


def _shown(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        print(line, end="", flush=True)
        yield line
