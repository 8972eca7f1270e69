"""`python3 manage.py bench start`: how long `manage.py start` takes until the service is ready.

Each round starts a fresh copy of the project with its dependencies installed, twice: with no data yet, and again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.kit.figures import Bar, Timing
from bench.kit.report import RESULTS, Report, Table, describe_machine
from bench.kit.running import set_environment
from catalog import config

LIMIT_SECONDS = 6
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "data", "__pycache__", ".*_cache", ".env", "bench", "tests")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="manage.py bench start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="copies to start (5)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to (bench/results)")
    asked = parser.parse_args()
    if not (Path(sys.prefix) / "installed").exists():
        parser.error("run it as `python3 manage.py bench start`, in the project's own .venv")
    machine = describe_machine()
    first, again = Timing("first", "in a fresh copy, no data yet", 1), Timing("again", "stopped, started again", 1)
    for number in range(asked.rounds):
        measure(first, again)
        print(f"Round {number + 1}: {first.seconds[-1]:.2f} s, again {again.seconds[-1]:.2f} s", flush=True)
    publish(machine, [first, again], asked.results)


def measure(first: Timing, again: Timing) -> None:
    """Start a fresh copy, stop it, start it again; delete it."""
    with tempfile.TemporaryDirectory(prefix="catalog-bench-") as name:
        copy = Path(name) / "project"
        shutil.copytree(config.ROOT, copy, ignore=LEFT_OUT)
        copy.parent.chmod(0o711)  # PostgreSQL's account must get through to its data
        (copy / ".venv").symlink_to(sys.prefix)
        set_environment(copy, {"PYTHONPATH": ""})
        try:
            first.seconds.append(manage(copy, "start"))
            manage(copy, "stop")
            again.seconds.append(manage(copy, "start"))
        finally:
            manage(copy, "clean", "--yes")


def manage(copy: Path, *verb: str) -> float:
    """Run a verb of the copy and return the seconds it took; exit with what it said if it fails."""
    began = time.monotonic()
    command = [sys.executable, "manage.py", *verb]
    done = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"manage.py {' '.join(verb)} failed:\n{done.stdout}")
    return time.monotonic() - began


def publish(machine: dict[str, object], timings: list[Timing], folder: Path) -> None:
    """Print and write the report."""
    rows = [
        [each.title, f"{each.median:.2f}", f"{min(each.seconds):.2f} - {max(each.seconds):.2f}"] for each in timings
    ]
    Report(
        name="start",
        title="`manage.py start`, to ready",
        machine=machine,
        facts={"starts": [timing.as_dict() for timing in timings]},
        tables=[Table("Start", ["start", "seconds", "from - to"], rows)],
        bars=[Bar(f"start {each.title}", each.median, "<", LIMIT_SECONDS, " s") for each in timings],
        notes=[f"Medians of {len(timings[0].seconds)} copies; the dependencies are installed."],
    ).publish(folder)


if __name__ == "__main__":
    main()
