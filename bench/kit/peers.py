"""The peers' packages, in a venv of their own: nothing of theirs touches the project's."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from catalog import config

BENCH = config.ROOT / "bench"


class Peers:
    """The scripts of `bench/peers/`, run by the Python of `bench/.venv/NAME` with `requirements-NAME.txt` installed."""

    def __init__(self, name: str) -> None:
        self.folder = BENCH / "peers"
        self.requirements = self.folder / f"requirements-{name}.txt"
        self.venv = BENCH / ".venv" / name
        self.python = self.venv / "bin" / "python"

    def install(self) -> None:
        """Make the venv unless it is there with these very requirements; CalledProcessError if that fails."""
        wanted = hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        stamp = self.venv / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"Installing the peers of {self.requirements.name} ...", flush=True)
        shutil.rmtree(self.venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(self.requirements)], check=True)
        stamp.write_text(wanted)

    def run(self, script: str, *arguments: str | Path | int) -> dict[str, Any]:
        """Run a script to its end and return the JSON object of its last line; CalledProcessError if it fails."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.python), str(self.folder / script), *map(str, arguments)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))
